"""Test images of class folders, as a classifier is scored on them. They stay uint8 until they are on the device."""

from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torchvision.transforms import v2

from workflow.data.class_folders import ClassFolders
from workflow.data.validation import decoding


def decode(path: str) -> torch.Tensor:
    """An image file as uint8 RGB (3, H, W)."""
    return torch.from_numpy(decoding.decode(path)).permute(2, 0, 1)


@DATASETS.register_module()
class ImageNetVal:
    """Validation images: short side to `resize`, centre crop of `size` (256 and 224 in the paper)."""

    def __init__(self, root: str, recipe: dict[str, Any]) -> None:
        self.folder = ClassFolders(root)
        self.transform = v2.Compose(
            [v2.Resize(recipe["val_resize_size"], antialias=True), v2.CenterCrop(recipe["crop_size"])]
        )

    def __len__(self) -> int:
        return len(self.folder)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path, label = self.folder[index]
        return {"images": self.transform(decode(path)), "labels": np.int64(label)}
