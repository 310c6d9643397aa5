"""Label smoothing: "Rethinking the Inception Architecture for Computer Vision", Szegedy et al., CVPR 2016, section 7.

The same as torch's `cross_entropy(label_smoothing=...)` (a test compares them); written on the targets because there it
stacks with what mixes them, and the gallery can show it.
"""

import numpy as np
import torch

from backbones.regularizers.base import Regularizer, register


@register("label_smoothing", {"smoothing": "fraction"})
class LabelSmoothing(Regularizer):
    """Give a share of the probability to all classes alike: (1 − ε) p + ε / classes.

    Whether it acts is drawn for the whole batch, whatever the number of processes.

    Args:
        smoothing: ε, the fraction (paper: 0.1).
        probability: probability of smoothing a batch.
    """

    def __init__(self, smoothing: float, probability: float) -> None:
        super().__init__(probability)
        self.smoothing = smoothing

    def target(self, targets: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See the class."""
        if not self.applies(rng):
            return targets
        return targets * (1 - self.smoothing) + self.smoothing / targets.shape[1]
