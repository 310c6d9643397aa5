"""Mixup: "mixup: Beyond Empirical Risk Minimization", Zhang et al., ICLR 2018; alpha 1.0 as in the CutMix paper."""

import numpy as np
import torch

from pretrain.regularizers.base import Regularizer, register


@register("mixup")
class Mixup(Regularizer):
    """Blend each image and its target with those of a partner: λ x + (1 − λ) x', one λ and one permutation a batch.

    Args:
        alpha: λ ~ Beta(alpha, alpha); 1.0 makes it uniform.
        probability: how often a batch is mixed.
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
        partner = torch.from_numpy(rng.permutation(len(images))).to(images.device)
        weight = rng.beta(self.alpha, self.alpha)
        return torch.lerp(images[partner], images, weight), torch.lerp(targets[partner], targets, weight)
