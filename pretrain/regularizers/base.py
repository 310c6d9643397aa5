"""What a regularizer is: a name, its parameters, and the places at which it acts."""

from collections.abc import Callable

import numpy as np
import torch

REGULARIZERS: dict[str, type["Regularizer"]] = {}


class Regularizer:
    """Does nothing at either place; a regularizer overrides the one at which it acts.

    Every regularizer has a `probability`: how often it acts (per image or per batch).
    """

    name: str

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def acts(self, rng: np.random.Generator) -> bool:
        """The first draw of every call, so that the draws after it do not depend on the probability."""
        return rng.random() < self.probability

    def image(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """One training image, uint8 (3, H, W), after crop and flip."""
        return image

    def batch(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One batch on the device: normalised images (N, 3, H, W) and class probabilities (N, classes)."""
        return images, targets


def register(name: str) -> Callable[[type[Regularizer]], type[Regularizer]]:
    """Class decorator: the name in config, path and table. ValueError if it is taken."""

    def add(cls: type[Regularizer]) -> type[Regularizer]:
        if name in REGULARIZERS:
            raise ValueError(f"the regularizer {name} is registered twice")
        cls.name = name
        REGULARIZERS[name] = cls
        return cls

    return add
