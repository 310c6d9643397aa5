"""ShakeDrop: "ShakeDrop Regularization for Deep Residual Learning", Yamada et al., IEEE Access 2019.

In the paper the branch x of block l stays x, or, with the death rate p_l, becomes α x, and its gradient β times the
gradient; α is of −1 to 1, β of 0 to 1. In the test it is (1 − p_l) x, the expectation. Here all of it is divided by
1 − p_l in training: the expectation is x, and the published weights are those of the plain network. This is the paper's
network with the last norm of each branch in another unit: weight and bias here are 1 − p_l times the paper's. Forwards
and backwards the functions are the same; but this norm starts 1 / (1 − p_l) times as large as the paper's, and learns
and decays in its own unit.
"""

import functools

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch.autograd.function import FunctionCtx

from backbones.regularizers.base import FeatureTransforms, Regularizer, per_rank_rng, register, seeded
from backbones.regularizers.stochastic_depth import branch_rates
from workflow.contracts import Network
from workflow.training.device_copies import upload


@register(
    "shakedrop",
    {
        "drop_prob": {"type": "number", "minimum": 0, "exclusiveMaximum": 1},
        "level": {"type": "string", "enum": ["image", "pixel"], "default": "image"},
    },
    residual=True,
)
class ShakeDrop(Regularizer):
    """Scale the residual branch of some blocks at random: forwards by α of −1 to 1, backwards by an independent β of 0
    to 1.

    Which blocks is drawn for the whole batch, whatever the number of processes; the probability rises linearly over
    depth as with `stochastic_depth`.

    Args:
        drop_prob: probability (death rate) of the last block, below 1 (paper: 0.5).
        level: what has an α and a β of its own: `image` (default), or `pixel`: each value of its maps, as in its
            authors' Torch code.
        probability: probability of applying it to a batch.
    """

    def __init__(self, drop_prob: float, probability: float, level: str = "image") -> None:
        super().__init__(probability)
        self.drop_prob, self.level = drop_prob, level

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return {}, targets
        changes: FeatureTransforms = {}
        rates = branch_rates(network, self.drop_prob)
        shut = {branch for branch, rate in rates.items() if rng.random() < rate}
        per_rank = per_rank_rng(rng)
        for branch, rate in rates.items():
            if branch not in shut:
                changes[branch] = functools.partial(torch.mul, other=1 / (1 - rate))
            elif self.level == "image":
                changes[branch] = functools.partial(shaken, scales=image_scales(len(images), rng), rate=rate)
            else:
                changes[branch] = functools.partial(shaken_pixels, rng=per_rank, rate=rate)
        return changes, targets


def image_scales(count: int, rng: np.random.Generator) -> torch.Tensor:
    """α and β of this process's `count` images, (2, count): those of the same images whatever the number of processes,
    which take turns with the images of a batch."""
    rank, world = get_dist_info()
    drawn = rng.uniform([[-1], [0]], 1, (2, count * world))[:, rank::world]
    return torch.from_numpy(drawn.astype(np.float32))


def shaken(branch: torch.Tensor, scales: torch.Tensor, rate: float) -> torch.Tensor:
    """A branch (N, ...) with α and β of each image, `scales` (2, N)."""
    alpha, beta = upload(scales, branch.device).view(2, -1, *[1] * (branch.ndim - 1)) / (1 - rate)
    return Shaken.apply(branch, alpha, beta)


def shaken_pixels(branch: torch.Tensor, rng: np.random.Generator, rate: float) -> torch.Tensor:
    """A branch (N, ...) with α and β of each value."""
    with seeded(rng, branch.device):
        alpha = torch.empty_like(branch, dtype=torch.float32).uniform_(-1, 1)
        beta = torch.empty_like(branch, dtype=torch.float32).uniform_(0, 1)
    return Shaken.apply(branch, alpha / (1 - rate), beta / (1 - rate))


class Shaken(torch.autograd.Function):
    """α times a branch, whose gradient is β times the gradient. Both are float32, the products have the type of the
    branch."""

    @staticmethod
    def forward(ctx: FunctionCtx, branch: torch.Tensor, alpha: torch.Tensor, beta: torch.Tensor) -> torch.Tensor:
        """α and β of a shape that the branch's (N, ...) is a multiple of."""
        ctx.save_for_backward(beta)
        return (branch * alpha).to(branch.dtype)

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """By β."""
        (beta,) = ctx.saved_tensors
        return (gradient * beta).to(gradient.dtype), None, None
