"""The linear probe: a linear classifier on the features of a frozen encoder, each of length 1."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional

from backbones.backbone import Preprocessing, set_stride
from backbones.construct import encoder
from workflow import registry


@MODELS.register_module()
class LinearProbe(BaseModel):
    """Only `head` is trained; the encoder keeps its weights and the statistics of its batch norm.

    Args:
        classes: number of classes.
        network: name of the backbone's network.
        prepare: the backbone's preprocessing: channel order, mean and std.
        stride: where the backbone's stages have their stride.
    """

    def __init__(self, classes: int, network: str, prepare: dict[str, Any], stride: str) -> None:
        super().__init__()
        self.prepare = Preprocessing(**prepare)
        declared = registry.network(network)
        self.encoder = encoder(declared).requires_grad_(False)
        set_stride(self.encoder, stride, declared)
        self.head = nn.Linear(declared.features, classes)

    def train(self, mode: bool = True) -> "LinearProbe":
        """The encoder is never in training mode."""
        super().train(mode)
        self.encoder.eval()
        return self

    def forward(self, images: torch.Tensor, labels: torch.Tensor, image: torch.Tensor, mode: str = "tensor") -> Any:
        """Images uint8 (N, 3, H, W), labels (N,), their places in the set (N,): the loss, or logits (N, classes)."""
        images = self.prepare(images.contiguous(memory_format=torch.channels_last))
        with torch.no_grad():
            features = functional.normalize(self.encoder(images).float())
        logits = self.head(features).float()
        if mode == "loss":
            return {"loss": functional.cross_entropy(logits, labels)}
        return [{"logits": logits, "labels": labels, "image": image}] if mode == "predict" else logits
