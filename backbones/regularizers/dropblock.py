"""DropBlock: "A Regularization Method for Convolutional Networks", Ghiasi et al., NeurIPS 2018.

A mask for each channel of each sample, blocks that lie wholly on the map, what is left scaled up: torchvision's
operation. On a CPU that would nearly double a step, so there the few blocks are drawn and zeroed by their places. The
CutMix paper quotes its authors' ResNet-50: blocks of 7 cells, keep 0.9, in the last two stages. On CIFAR it has blocks
of 4 cells, a side that torchvision does not take: the operation is written here for all sides.
"""

import functools
import math

import numpy as np
import torch
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

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return {}, targets
        rng, changes = per_rank_rng(rng), {}
        for stage, share in zip(network.stages[-len(SHARES) :], SHARES, strict=True):
            rate = (1 - self.keep_prob) * share * progress
            change = functools.partial(masked, rate=rate, block=self.block_size, rng=rng)
            changes |= {output: change for block in stage.blocks for output in block.outputs}
        return changes, targets


def masked(features: torch.Tensor, rate: float, block: int, rng: np.random.Generator) -> torch.Tensor:
    """Features (N, C, H, W) with blocks zeroed and the rest scaled to keep the mean."""
    side = min(block, *features.shape[-2:])
    if side < block:
        side -= (side + 1) % 2
    if features.device.type == "cpu":
        return Dropped.apply(features, rate, side, rng)
    with seeded(rng, features.device):
        return (features * block_mask(features, rate, side)).to(features.dtype)


def block_mask(features: torch.Tensor, rate: float, side: int) -> torch.Tensor:
    """A factor for features (N, C, H, W): zero in blocks of side × side cells, elsewhere what keeps the mean. It is
    float32, as bf16 is too coarse. Torch's generator draws it, for odd sides as in torchvision's `drop_block2d`."""
    rows, columns = (cells - side + 1 for cells in features.shape[-2:])
    probability = rate * features[0, 0].numel() / (side**2 * rows * columns)
    corners = torch.empty(*features.shape[:2], rows, columns, device=features.device).bernoulli_(probability)
    kept = 1 - functional.max_pool2d(functional.pad(corners, [side - 1] * 4), side, stride=1)
    return kept * (kept.numel() / (kept.sum() + 1e-6))


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
