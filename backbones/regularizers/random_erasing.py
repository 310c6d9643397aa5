"""Random Erasing: "Random Erasing Data Augmentation", Zhong et al., AAAI 2020; its experiments have p 0.5, areas of 2
to 40 %, aspect ratios of 0.3 to 1 / 0.3, and random values, which are the best of four kinds (RE-R).

As in the authors' code the corner is drawn where the rectangle fits; after 100 rectangles that do not fit the image
stays as it is. The aspect ratio is uniform as in Algorithm 1: torchvision and timm draw its logarithm.
"""

import math

import numpy as np
import torch

from backbones.regularizers.base import Regularizer, register

ATTEMPTS = 100


@register(
    "random_erasing",
    {
        "scale": {"type": "array", "minItems": 2, "maxItems": 2, "ascending": True, "items": {"$ref": "#/$defs/share"}},
        "ratio": {
            "type": "array",
            "minItems": 2,
            "maxItems": 2,
            "ascending": True,
            "items": {"$ref": "#/$defs/positive"},
        },
        "value": {
            "type": ["string", "array"],
            "pattern": r"^random\Z",
            "expected": "random or three values of 0 to 255",
            "minItems": 3,
            "maxItems": 3,
            "items": {"type": "integer", "minimum": 0, "maximum": 255},
        },
    },
)
class RandomErasing(Regularizer):
    """Replace one rectangle of each image, which lies inside it.

    Args:
        scale: lower and upper bound of the rectangle's area, as a share of the image's (paper: 0.02 and 0.4).
        ratio: lower and upper bound of its height divided by its width (paper: 0.3 and 3.33).
        value: `random`, for each channel of each pixel another (the paper's best, RE-R), or the R, G and B of all
            pixels, 0 to 255 (RE-M, ImageNet's mean: 124, 116, 104).
        probability: how often an image is treated so (paper: 0.5).
    """

    def __init__(self, scale: list[float], ratio: list[float], value: str | list[int], probability: float) -> None:
        super().__init__(probability)
        self.scale, self.ratio, self.value = scale, ratio, value

    def image(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See the class."""
        if not self.applies(rng):
            return image
        top, left, height, width = self.rectangle(*image.shape[-2:], rng)
        if self.value == "random":
            pixels = torch.from_numpy(rng.integers(256, size=(3, height, width), dtype=np.uint8))
        else:
            pixels = torch.tensor(self.value, dtype=torch.uint8).view(3, 1, 1)
        image = image.clone()
        image[:, top : top + height, left : left + width] = pixels
        return image

    def rectangle(self, rows: int, columns: int, rng: np.random.Generator) -> tuple[int, int, int, int]:
        """Draw top, left, height and width in pixels; height and width are 0 if no rectangle fits.

        Args:
            rows: height of the image in pixels.
            columns: width of the image in pixels.
            rng: where area, aspect ratio and corner are drawn from.
        """
        for _ in range(ATTEMPTS):
            area, ratio = rows * columns * rng.uniform(*self.scale), rng.uniform(*self.ratio)
            height, width = math.sqrt(area * ratio), math.sqrt(area / ratio)
            if height <= rows and width <= columns:
                height, width = round(height), round(width)
                return int(rng.integers(rows - height + 1)), int(rng.integers(columns - width + 1)), height, width
        return 0, 0, 0, 0
