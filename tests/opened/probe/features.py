"""Images of a set of dots, and the frozen features of a published backbone."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torch import nn
from torchvision.transforms import v2

from backbones.backbone import load_backbone
from workflow.data.dots import samples
from workflow.data.validation.decoding import decode


@DATASETS.register_module()
class Dots:
    """The images of a split, scaled to a square: {"images": uint8 (3, size, size), "labels": int, "image": index}.

    Args:
        root: folder of the set.
        part: `train` or `test`.
        size: side of the square in px.
    """

    def __init__(self, root: str, part: str, size: int) -> None:
        self.samples = samples(root, part)
        self.resize = v2.Resize((size, size), antialias=True)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path, label = self.samples[index]
        pixels = torch.from_numpy(decode(path)).permute(2, 0, 1)
        return {"images": self.resize(pixels), "labels": np.int64(label), "image": np.int64(index)}

    def get_data_info(self, index: int) -> dict[str, str]:
        """The file of a sample, for messages."""
        return {"img_path": self.samples[index][0]}


def load(network: nn.Module, backbone: Path, expected: str | None = None) -> None:
    """Give an encoder the weights of a published backbone, whose SHA-256 is `expected`."""
    load_backbone(backbone, network, expected=expected)
