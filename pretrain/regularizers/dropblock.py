"""DropBlock: "A Regularization Method for Convolutional Networks", Ghiasi et al., NeurIPS 2018.

torchvision's operation does it: a mask for each channel of each sample, blocks that lie wholly on the map, what is left
scaled up. The CutMix paper quotes its authors' ResNet-50: blocks of 7 cells, keep 0.9, in the last two stages.
"""

import functools

import numpy as np
import torch
from torchvision.ops import drop_block2d

from pretrain.regularizers.base import Changes, Regularizer, register, seeded

# Section 4.1: after each convolution (here after its batch norm; ReLU commutes with the mask) and on the skip
# connections of both stages; the third stage drops at a quarter of the rate of the fourth.
PARTS = ("bn1", "bn2", "bn3", "downsample")
STAGES = {"layer3": (6, 0.25), "layer4": (3, 1.0)}  # blocks, share of the rate


@register("dropblock", {"block": "odd", "keep": "share"})
class DropBlock(Regularizer):
    """Zero square blocks of the features in layer3 and layer4; the rate rises linearly from 0 to its end value.

    Args:
        block: side of a block in cells, odd; on a smaller map the largest odd number that fits (paper: 7).
        keep: share of the cells that is kept at the end of the training (paper: 0.9).
        probability: how often a batch is treated so.
    """

    def __init__(self, block: int, keep: float, probability: float) -> None:
        super().__init__(probability)
        self.block, self.keep = block, keep

    def inside(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float
    ) -> tuple[Changes, torch.Tensor]:
        """See the class."""
        if not self.acts(rng):
            return {}, targets
        changes = {}
        for stage, (blocks, share) in STAGES.items():
            rate = (1 - self.keep) * share * progress
            change = functools.partial(masked, rate=rate, block=self.block, rng=rng)
            changes |= {f"{stage}.{block}.{part}": change for block in range(blocks) for part in PARTS}
        return changes, targets


def masked(features: torch.Tensor, rate: float, block: int, rng: np.random.Generator) -> torch.Tensor:
    """Features (N, C, H, W) with blocks zeroed and the rest scaled to keep the mean."""
    side = min(block, *features.shape[-2:])
    ones = torch.ones_like(features, dtype=torch.float32)  # the scale is a mean over the mask: bf16 is too coarse
    with seeded(rng, features.device):
        mask = drop_block2d(ones, rate, side - (side + 1) % 2)  # torchvision takes odd sides alone
    return (features * mask).to(features.dtype)
