"""Test images of a labelled set, as a classifier is scored on them. They stay uint8 until they are on the device."""

from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torchvision.transforms import v2

from workflow.core.dataset_info import DatasetInfo
from workflow.data import labelled
from workflow.data.validation import decoding


def decode(path: str) -> torch.Tensor:
    """An image file as uint8 RGB (3, H, W)."""
    return torch.from_numpy(decoding.decode(path)).permute(2, 0, 1)


class TestImages:
    """Images with their classes: short side to `val_resize_size` (paper: 256), centre crop of `crop_size` (224).

    Args:
        source: the images.
        recipe: with these two sizes.
    """

    def __init__(self, source: labelled.ImageSource, recipe: dict[str, Any]) -> None:
        self.source = source
        self.transform = v2.Compose(
            [v2.Resize(recipe["val_resize_size"], antialias=True), v2.CenterCrop(recipe["crop_size"])]
        )

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> dict[str, Any]:
        with self.source.open(index) as photo:
            image = torch.from_numpy(decoding.pixels(photo)).permute(2, 0, 1)
        return {"images": self.transform(image), "labels": np.int64(self.source.targets[index])}


@DATASETS.register_module()
def open_test_images(check: DatasetInfo, recipe: dict[str, Any]) -> TestImages:
    """The test images of a checked set."""
    return TestImages(labelled.open_test(check), recipe)
