"""DropBlock: "A Regularization Method for Convolutional Networks", Ghiasi et al., NeurIPS 2018.

A mask for each channel of each sample, blocks that lie wholly on the map, what is left scaled up: torchvision's
operation. On a GPU it would launch as many kernels as the network itself, so the masks of all modules whose maps have
one shape are drawn at once, before the network runs. On a CPU masks would nearly double a step, so there the few blocks
are drawn and zeroed by their places. The CutMix paper quotes its authors' ResNet-50: blocks of 7 cells, keep 0.9, in
the last two stages. On CIFAR it has blocks of 4 cells, a side that torchvision does not take: the operation is written
here for all sides.
"""

import functools
import itertools
import math
from collections import defaultdict
from collections.abc import Mapping

import numpy as np
import torch
from torch import nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

from backbones.regularizers.base import FeatureTransforms, Regularizer, per_rank_rng, register, seeded
from workflow.contracts import Network

# Section 4.1: after each convolution (here after its batch norm; ReLU commutes with the mask) and on the skip
# connections of the last two stages; the first of these drops at a quarter of the rate of the other.
SHARES = (0.25, 1.0)


@register("dropblock", {"block_size": "count", "keep_prob": "share"}, residual=True, masks=True)
class DropBlock(Regularizer):
    """Zero square blocks of the features in the last two stages; the rate rises linearly from 0 to its end value.

    Whether it acts is drawn for the whole batch; of several processes each draws the squares of its own samples.

    Args:
        block_size: side of a block in cells (paper: 7; CutMix on CIFAR: 4); on a smaller map, the largest odd number
            that fits.
        keep_prob: fraction of the cells kept in the last stage at the end of the training (paper: 0.9); it falls
            linearly from 1.
        probability: probability of applying it to a batch.
    """

    def __init__(self, block_size: int, keep_prob: float, probability: float) -> None:
        super().__init__(probability)
        self.block_size, self.keep_prob = block_size, keep_prob
        self.shapes: dict[torch.Size, dict[str, torch.Size]] = {}  # of the modules' outputs, by that of the images

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return {}, targets
        rng, rates = per_rank_rng(rng), {}
        for stage, share in zip(network.stages[-len(SHARES) :], SHARES, strict=True):
            rate = (1 - self.keep_prob) * share * progress
            rates |= {output: rate for block in stage.blocks for output in block.outputs}
        if images.device.type == "cpu":
            change = functools.partial(masked, block=self.block_size, rng=rng)
            return {output: functools.partial(change, rate=rate) for output, rate in rates.items()}, targets
        shapes = self.shapes.get(images.shape)
        if shapes is None:
            shapes = self.shapes[images.shape] = output_shapes(self.network, rates, images)
        with seeded(rng, images.device):
            masks = block_masks(shapes, rates, self.block_size, images.device)
        return {output: functools.partial(Scaled.apply, mask) for output, mask in masks.items()}, targets


def output_shapes(network: nn.Module, names: Mapping[str, float], images: torch.Tensor) -> dict[str, torch.Size]:
    """Of the outputs of these modules for such images (N, 3, H, W), without a computation."""
    shapes, handles = {}, []
    for name in names:
        keep = functools.partial(lambda name, module, inputs, output: shapes.update({name: output.shape}), name)
        handles.append(network.get_submodule(name).register_forward_hook(keep))
    weights = itertools.chain(network.named_parameters(), network.named_buffers())
    bare = {name: torch.empty_like(tensor, device="meta") for name, tensor in weights}
    try:
        with torch.no_grad():
            torch.func.functional_call(network, bare, torch.empty_like(images, device="meta"))
    finally:
        for handle in handles:
            handle.remove()
    return shapes


def side_on(shape: torch.Size, block: int) -> int:
    """Of a block on features of this shape (N, C, H, W)."""
    side = min(block, *shape[-2:])
    return side if side == block else side - (side + 1) % 2


def masked(features: torch.Tensor, rate: float, block: int, rng: np.random.Generator) -> torch.Tensor:
    """Features (N, C, H, W) on a CPU with blocks zeroed and the rest scaled to keep the mean."""
    return Dropped.apply(features, rate, side_on(features.shape, block), rng)


def block_masks(
    shapes: Mapping[str, torch.Size], rates: Mapping[str, float], block: int, device: torch.device
) -> dict[str, torch.Tensor]:
    """A factor for the features of each module: zero in blocks, elsewhere what keeps the mean; float32, as bf16 is too
    coarse. Torch's generator draws it, for odd sides as in torchvision's `drop_block2d`.

    Args:
        shapes: of the features (N, C, H, W), by the name of their module.
        rates: share of the cells to drop, by the same.
        block: side of a block in cells.
        device: of the masks.
    """
    groups = defaultdict(list)
    for name, shape in shapes.items():
        groups[shape, rates[name]].append(name)
    holes = [dropped(len(names), *like, block, device) for like, names in groups.items()]
    shares = torch.cat([each.mean((1, 2, 3, 4), keepdim=True) for each in holes])
    factors = (1 - shares).clamp_(min=1e-6).reciprocal_()  # of a map without a cell left, nothing is scaled to infinity
    masks, first = {}, 0
    for names, each in zip(groups.values(), holes, strict=True):
        factor = factors[first : first + len(names)]
        masks |= zip(names, torch.addcmul(factor, each, factor, value=-1), strict=True)
        first += len(names)
    return masks


def dropped(count: int, shape: torch.Size, rate: float, block: int, device: torch.device) -> torch.Tensor:
    """`count` masks of a shape (N, C, H, W): 1 in blocks that are dropped, elsewhere 0; channels last."""
    (height, width), side = shape[-2:], side_on(shape, block)
    probability = rate * height * width / (side**2 * (height - side + 1) * (width - side + 1))
    around = (count * shape[0], shape[1], height + side - 1, width + side - 1)
    corners = torch.empty(around, device=device, memory_format=torch.channels_last).zero_()
    corners[..., side - 1 : height, side - 1 : width].bernoulli_(probability)
    return functional.max_pool2d(corners, side, stride=1).unflatten(0, (count, shape[0]))


class Scaled(torch.autograd.Function):
    """Features times a mask in float32, in one kernel: a product would be another tensor, to be rounded by a second."""

    @staticmethod
    def forward(ctx: FunctionCtx, mask: torch.Tensor, features: torch.Tensor) -> torch.Tensor:
        """Mask and features (N, C, H, W)."""
        ctx.mask = mask
        return torch.mul(features, mask, out=torch.empty_like(features))

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: torch.Tensor) -> tuple[None, torch.Tensor]:
        """The same, of the gradient."""
        return None, torch.mul(gradient, ctx.mask, out=torch.empty_like(gradient))


class Dropped(torch.autograd.Function):
    """torchvision's `drop_block2d`, in work that grows with the number of blocks and one pass over the features."""

    @staticmethod
    def forward(
        ctx: FunctionCtx, features: torch.Tensor, rate: float, side: int, rng: np.random.Generator
    ) -> torch.Tensor:
        """Keeps the places of the dropped cells, which are few, instead of a mask."""
        kept = torch.empty_like(features)
        cells, dropped = sample_blocks(kept.shape, kept.stride(), rate, side, rng)
        ctx.strides, ctx.cells = kept.stride(), torch.from_numpy(cells.ravel())
        ctx.scale = kept.numel() / max(kept.numel() - dropped, 1)
        return zeroed(torch.mul(features, ctx.scale, out=kept), ctx.cells)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None, None]:
        """The same map, of the gradient; the places belong to the strides of the features."""
        kept = torch.empty_strided(gradient.shape, ctx.strides, dtype=gradient.dtype)
        return zeroed(torch.mul(gradient, ctx.scale, out=kept), ctx.cells), None, None, None


def zeroed(features: torch.Tensor, cells: torch.Tensor) -> torch.Tensor:
    """In place, at places in memory."""
    features.as_strided((features.numel(),), (1,)).index_fill_(0, cells, 0)
    return features


def sample_blocks(
    shape: tuple[int, ...], strides: tuple[int, ...], rate: float, side: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Blocks of side × side cells, each place with the same probability, so that about `rate` of all cells is dropped.

    The number of blocks is binomial and their places are uniform, all different: what a draw for each place would give.
    Returns the places in memory of their cells (blocks, side²), and how many these are; blocks may overlap.
    """
    rows, columns = shape[2] - side + 1, shape[3] - side + 1
    probability = rate * shape[2] * shape[3] / (side**2 * rows * columns)
    places = shape[0] * shape[1] * rows * columns
    corners = rng.choice(places, rng.binomial(places, probability), replace=False, shuffle=False)
    maps, corner = np.divmod(corners, rows * columns)
    first = sum(index * stride for index, stride in zip(np.divmod(maps, shape[1]), strides[:2], strict=True))
    first += sum(index * stride for index, stride in zip(np.divmod(corner, columns), strides[2:], strict=True))
    reach = np.arange(side)
    cells = first[:, None] + (reach[:, None] * strides[2] + reach * strides[3]).ravel()
    if rows * columns == 1:
        return cells, cells.size
    hit = np.zeros(math.prod(shape), dtype=bool)
    hit[cells] = True
    return cells, np.count_nonzero(hit)
