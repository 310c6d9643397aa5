"""CutMix: "Regularization Strategy to Train Strong Classifiers with Localizable Features", Yun et al., ICCV 2019.

Section 3.1 and Algorithm A1, whose r_w = √(1 − λ) lacks the factor W (and r_h the H): the text of 3.1 has them.
"""

from collections.abc import Callable

import numpy as np
import torch

from backbones.regularizers.base import IndexPermutation, Regularizer, register

Map = Callable[[torch.Tensor], torch.Tensor]


def box(height: int, width: int, weight: float, rng: np.random.Generator) -> tuple[int, int, int, int]:
    """A box (top, bottom, left, right) with sides × √(1 − weight) around a uniform centre, clipped to the image."""
    share = np.sqrt(1 - weight)
    edges = []
    for side in (height, width):
        centre, half = int(rng.integers(side)), int(side * share) // 2
        edges += [max(centre - half, 0), min(centre + half, side)]
    return edges[0], edges[1], edges[2], edges[3]


def pasting(alpha: float, images: torch.Tensor, rng: np.random.Generator, cells: int = 1) -> tuple[Map, Map]:
    """Two maps of one drawn λ ~ Beta(alpha, alpha), box and permutation of `images` (N, 3, H, W): the first pastes the
    box of each sample's partner, the second weighs targets by the area that it leaves. For features of one cell for
    every `cells` pixels, the box is rounded to cells."""
    partner, (height, width) = torch.from_numpy(rng.permutation(len(images))), images.shape[-2:]
    edges = box(height, width, rng.beta(alpha, alpha), rng)
    rows, columns = -(-height // cells), -(-width // cells)
    top, bottom = (round(edge * rows / height) for edge in edges[:2])
    left, right = (round(edge * columns / width) for edge in edges[2:])
    kept = 1 - (bottom - top) * (right - left) / (rows * columns)

    def paste(x: torch.Tensor) -> torch.Tensor:
        mixed = x.clone()
        mixed[..., top:bottom, left:right] = IndexPermutation.apply(x[..., top:bottom, left:right], partner)
        return mixed

    return paste, lambda targets: torch.lerp(IndexPermutation.apply(targets, partner), targets, kept)


@register("cutmix", {"alpha": "positive"}, mixes=True)
class CutMix(Regularizer):
    """Paste one box of a partner's image; the target is weighted by the area that really was not pasted.

    Of several processes each has its share of the batch: the box is the same in all, partners are of the same share.

    Args:
        alpha: λ ~ Beta(alpha, alpha); 1.0, the paper's value, makes it uniform.
        probability: probability of mixing a batch (paper: 1.0 on ImageNet, 0.5 on CIFAR).
    """

    def __init__(self, alpha: float, probability: float) -> None:
        super().__init__(probability)
        self.alpha = alpha

    def batch(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return images, targets
        paste, blend = pasting(self.alpha, images, rng)
        return paste(images), blend(targets)
