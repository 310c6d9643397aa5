"""Cutout: "Improved Regularization of Convolutional Neural Networks with Cutout", DeVries & Taylor, 2017."""

import numpy as np
import torch

from backbones.regularizers.base import Regularizer, register


@register("cutout", {"size": "count"})
class Cutout(Regularizer):
    """Fill one square of each image with the mean colour; its centre is uniform over the image, so it may hang over the
    edge.

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
        image, colour = image.clone(), torch.tensor(self.fill, dtype=torch.uint8).view(3, 1, 1)
        image[:, max(top, 0) : max(top + self.size, 0), max(left, 0) : max(left + self.size, 0)] = colour
        return image
