"""CutMix: "Regularization Strategy to Train Strong Classifiers with Localizable Features", Yun et al., ICCV 2019.

Section 3.1 and Algorithm A1, whose r_w = √(1 − λ) lacks the factor W (and r_h the H): the text of 3.1 has them.
"""

import numpy as np
import torch

from pretrain.regularizers.base import Regularizer, register


def box(height: int, width: int, weight: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A box (top, bottom, left, right) with sides × √(1 − weight) around a uniform centre, clipped to the image."""
    share = np.sqrt(1 - weight)
    edges = []
    for side in (height, width):
        centre, half = int(rng.integers(side)), int(side * share) // 2
        edges += [max(centre - half, 0), min(centre + half, side)]
    return edges[0], edges[1], edges[2], edges[3]


@register("cutmix")
class CutMix(Regularizer):
    """Paste one box of a partner's image; the target is weighted by the area that really was not pasted.

    Args:
        alpha: λ ~ Beta(alpha, alpha); 1.0, the paper's, makes it uniform.
        probability: how often a batch is mixed (paper: 1.0 on ImageNet, 0.5 on CIFAR).
    """

    def __init__(self, alpha: float, probability: float) -> None:
        super().__init__(probability)
        self.alpha = alpha

    def batch(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        if not self.acts(rng):
            return images, targets
        height, width = images.shape[-2:]
        partner = torch.from_numpy(rng.permutation(len(images))).to(images.device)
        top, bottom, left, right = box(height, width, rng.beta(self.alpha, self.alpha), rng)
        mixed = images.clone()
        mixed[..., top:bottom, left:right] = images[partner, :, top:bottom, left:right]
        kept = 1 - (bottom - top) * (right - left) / (height * width)
        return mixed, torch.lerp(targets[partner], targets, kept)
