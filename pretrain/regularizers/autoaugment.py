"""AutoAugment: "Learning Augmentation Strategies from Data", Cubuk et al., CVPR 2019: the policy found on ImageNet.

torchvision's, with the paper's range for colour, contrast, brightness and sharpness: there (appendix, Table 6) the ten
magnitudes are factors from 0.1 to 1.9, in torchvision they are 0 to 0.9 more or less than 1, by chance.
"""

from typing import Any, ClassVar

import numpy as np
import torch
from torchvision.transforms import v2

from pretrain.backbone import IMAGENET
from pretrain.regularizers.base import Regularizer, register, seeded


def factor(bins: int, height: int, width: int) -> torch.Tensor:
    """What torchvision adds to 1 to get the factor of an enhancement: -0.9 to 0.9."""
    return torch.linspace(-0.9, 0.9, bins)


class Policy(v2.AutoAugment):
    """torchvision's, with the paper's magnitudes."""

    _AUGMENTATION_SPACE: ClassVar[dict[str, Any]] = {
        **v2.AutoAugment._AUGMENTATION_SPACE,
        **dict.fromkeys(("Brightness", "Color", "Contrast", "Sharpness"), (factor, False)),
    }


@register("autoaugment", {})
class AutoAugment(Regularizer):
    """Two operations on each image, by one of the 25 sub-policies; what they uncover has ImageNet's mean colour.

    Args:
        probability: how often an image is augmented (paper: 1.0; the operations have probabilities of their own).
    """

    def __init__(self, probability: float) -> None:
        super().__init__(probability)
        self.policy = Policy(v2.AutoAugmentPolicy.IMAGENET, fill=[round(value) for value in IMAGENET.mean])

    def image(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """See the class."""
        if not self.acts(rng):
            return image
        with seeded(rng):
            return self.policy(image)
