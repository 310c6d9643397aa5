"""AutoAugment: "Learning Augmentation Strategies from Data", Cubuk et al., CVPR 2019: the policy found on ImageNet.

torchvision's, with the paper's range for colour, contrast, brightness and sharpness: there (appendix, Table 6) the ten
magnitudes are factors from 0.1 to 1.9, in torchvision they are 0 to 0.9 more or less than 1, by chance. What costs most
on a CPU is done by OpenCV or with whole numbers, to the same pixels.
"""

import functools
from collections.abc import Sequence
from typing import Any, ClassVar

import cv2
import numpy as np
import torch
from torchvision.transforms import v2

from backbones.regularizers.base import Regularizer, register, seeded


def factor(bins: int, height: int, width: int) -> torch.Tensor:
    """What torchvision adds to 1 to get the factor of an enhancement: -0.9 to 0.9."""
    return torch.linspace(-0.9, 0.9, bins)


class Policy(v2.AutoAugment):
    """torchvision's, with the paper's magnitudes, for images uint8 (3, H, W)."""

    _AUGMENTATION_SPACE: ClassVar[dict[str, Any]] = {
        **v2.AutoAugment._AUGMENTATION_SPACE,
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (factor, False)),
    }

    def _apply_image_or_video_transform(
        self, image: torch.Tensor, transform_id: str, magnitude: float, interpolation: Any, fill: Any
    ) -> torch.Tensor:
        """One operation, the faster way where there is one (a test compares all of the policy's)."""
        if transform_id in MOVES:
            return moved(image, transform_id, magnitude, self.fill)
        if transform_id in FASTER:
            return FASTER[transform_id](image, magnitude)
        planes = image.contiguous()  # a decoded image is not, and torch is slow at it
        return super()._apply_image_or_video_transform(planes, transform_id, magnitude, interpolation, fill)


def pixels(image: torch.Tensor) -> np.ndarray:
    """uint8 (3, H, W) as OpenCV has it, (H, W, 3); a copy only if it does not lie so in memory."""
    last = image.permute(1, 2, 0)
    return last.numpy() if last.is_contiguous() else cv2.merge([*image.numpy()])


def image_of(found: np.ndarray) -> torch.Tensor:
    """The way back."""
    return torch.from_numpy(found).permute(2, 0, 1)


@functools.lru_cache(maxsize=32)
def source(operation: str, magnitude: float, height: int, width: int) -> np.ndarray:
    """Where each pixel comes from, int16 (H, W, 2) of x and y; -1 where nothing does: torchvision's operation on an
    image of coordinates. The policy has eight moves of an image, each with one magnitude, up to the sign."""
    grid = torch.stack(torch.meshgrid(torch.arange(width), torch.arange(height), indexing="xy")).float()
    plain = v2.AutoAugment(fill=-1.0)
    found = plain._apply_image_or_video_transform(grid, operation, magnitude, plain.interpolation, plain._fill)
    return found.permute(1, 2, 0).to(torch.int16).contiguous().numpy()


def moved(image: torch.Tensor, operation: str, magnitude: float, fill: Sequence[int]) -> torch.Tensor:
    """Turned or sheared; what is uncovered has the colour `fill`."""
    places = source(operation, magnitude, *image.shape[-2:])
    border = {"borderMode": cv2.BORDER_CONSTANT, "borderValue": fill}
    return image_of(cv2.remap(pixels(image), places, None, cv2.INTER_NEAREST, **border))


def equalized(image: torch.Tensor, magnitude: float) -> torch.Tensor:
    """Pillow's scheme, as torchvision has it: each channel by a table made of its histogram."""
    channels = pixels(image)
    counts = [cv2.calcHist([channels], [channel], None, [256], [0, 256]).ravel() for channel in range(3)]
    return image_of(cv2.LUT(channels, np.stack([table(each.astype(int)) for each in counts], axis=-1)[None]))


def table(counts: np.ndarray) -> np.ndarray:
    """What becomes of each of the 256 values, from how often each is there."""
    step = (counts.sum() - counts[counts.nonzero()[0][-1]]) // 255
    if step == 0:
        return np.arange(256, dtype=np.uint8)
    below = counts.cumsum() - counts
    return ((below + step // 2) // step).clip(0, 255).astype(np.uint8)


def sharpened(image: torch.Tensor, magnitude: float) -> torch.Tensor:
    """Away from (or, below 0, towards) a blurred image, but for its outermost pixels."""
    kernel = np.array([[1, 1, 1], [1, 5, 1], [1, 1, 1]], dtype=np.float32) / 13
    blurred = image_of(cv2.filter2D(pixels(image), -1, kernel)).float()
    found = image.float()
    inner = found[:, 1:-1, 1:-1]
    inner.add_(blurred[:, 1:-1, 1:-1] - inner, alpha=-magnitude)
    return found.clamp_(0, 255).to(torch.uint8)


def solarized(image: torch.Tensor, magnitude: float) -> torch.Tensor:
    """Values from the threshold on are inverted."""
    return image ^ (image >= 255 * magnitude).to(torch.uint8) * 255


MOVES = ("Rotate", "ShearX")
FASTER = {"Equalize": equalized, "Sharpness": sharpened, "Solarize": solarized}


@register("autoaugment", {})
class AutoAugment(Regularizer):
    """Two operations on each image, by one of the 25 sub-policies; what they uncover has the mean colour.

    Args:
        probability: probability of augmenting an image (paper: 1.0; the operations have probabilities of their own).
    """

    @functools.cached_property
    def policy(self) -> Policy:
        """With the mean colour, which is known when the first image comes."""
        return Policy(v2.AutoAugmentPolicy.IMAGENET, fill=list(self.fill))

    def image(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See the class."""
        if not self.applies(rng):
            return image
        with seeded(rng):
            return self.policy(image)
