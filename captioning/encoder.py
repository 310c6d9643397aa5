"""A network as an image encoder, and the views of a photo that it sees.

A photo is squashed to `resize` × `resize`, as in the reference code; a training view is a random crop of it, flipped
half the time, the test view is the centre crop. Checked against torchvision's ResNet-50 (pooled features, 1e-5).
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torchvision.transforms.v2 import functional

from backbones.backbone import STRIDE, Preprocessing, set_stride
from backbones.construct import encoder
from workflow.contracts import Network
from workflow.data.validation.decoding import decode


def load(path: str | Path, resize: int) -> Tensor:
    """An image file as uint8 RGB (3, resize, resize)."""
    image = Image.fromarray(decode(path))
    return functional.pil_to_tensor(image.resize((resize, resize), Image.Resampling.BILINEAR))


def random_view(image: Tensor, crop: int, draw: np.random.Generator) -> Tensor:
    """A random crop (3, crop, crop) of an image, flipped half the time."""
    top, left = (int(draw.integers(side - crop + 1)) for side in image.shape[1:])
    view = image[:, top : top + crop, left : left + crop]
    return view.flip(-1) if draw.random() < 0.5 else view


def centre_view(image: Tensor, crop: int) -> Tensor:
    """The centre crop (3, crop, crop) of an image."""
    return functional.center_crop(image, [crop, crop])


class Encoder(nn.Module):
    """Uint8 RGB images (N, 3, H, W) to pooled features (N, network.features), float32.

    BatchNorm always uses the statistics of pretraining, also where the weights are fine-tuned.
    """

    def __init__(self, prepare: Preprocessing, network: Network, stride: str = STRIDE) -> None:
        super().__init__()
        self.prepare = prepare
        self.network = encoder(network)
        set_stride(self.network, stride, network)
        self.train(False)

    def train(self, mode: bool = True) -> "Encoder":
        """Like any module's, but for BatchNorm."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm):  # of one process or of several
                module.eval()
        return self

    def forward(self, images: Tensor) -> Tensor:
        """See the class."""
        images = self.prepare(images).contiguous(memory_format=torch.channels_last)
        return self.network(images).float()
