"""Mixup: "mixup: Beyond Empirical Risk Minimization", Zhang et al., ICLR 2018; alpha 1.0 as in the CutMix paper."""

from collections.abc import Callable

import numpy as np
import torch

from backbones.regularizers.base import IndexPermutation, Regularizer, register


def blending(alpha: float, count: int, rng: np.random.Generator) -> Callable[[torch.Tensor], torch.Tensor]:
    """The map x to λ x + (1 − λ) x' of one drawn λ ~ Beta(alpha, alpha) and one permutation of `count` samples."""
    partner, weight = torch.from_numpy(rng.permutation(count)), rng.beta(alpha, alpha)
    return lambda x: torch.lerp(IndexPermutation.apply(x, partner), x, weight)


@register("mixup", {"alpha": "positive"}, mixes=True)
class Mixup(Regularizer):
    """Blend each image and its target with those of a partner: λ x + (1 − λ) x', one λ and one permutation a batch.

    Of several processes each has its share of the batch: λ is the same in all, partners are of the same share.

    Args:
        alpha: λ ~ Beta(alpha, alpha); 1.0 makes it uniform.
        probability: probability of mixing a batch.
    """

    def __init__(self, alpha: float, probability: float) -> None:
        super().__init__(probability)
        self.alpha = alpha

    def batch(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return images, targets
        blend = blending(self.alpha, len(images), rng)
        return blend(images), blend(targets)
