"""Cutout: "Improved Regularization of Convolutional Neural Networks with Cutout", DeVries & Taylor, 2017."""

import numpy as np
import torch

from backbones.backbone import IMAGENET
from backbones.regularizers.base import Regularizer, register

# The mean colour is zero after normalisation, up to the rounding of uint8 (below 0.01 standard deviations).
FILL = torch.tensor(IMAGENET.mean).round().to(torch.uint8).view(3, 1, 1)


@register("cutout", {"size": "count"})
class Cutout(Regularizer):
    """Blank one square of each image; its centre is uniform over the image, so it may hang over the edge.

    Args:
        size: side of the square in pixels of the crop (CutMix paper: 112 of 224).
        probability: probability of cutting an image.
    """

    def __init__(self, size: int, probability: float) -> None:
        super().__init__(probability)
        self.size = size

    def image(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See the class."""
        if not self.applies(rng):
            return image
        top, left = (int(rng.integers(side)) - self.size // 2 for side in image.shape[-2:])
        image = image.clone()
        image[:, max(top, 0) : max(top + self.size, 0), max(left, 0) : max(left + self.size, 0)] = FILL
        return image
