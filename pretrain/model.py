"""A network as a classifier that mmengine trains, with the regularizers of batch, network and target."""

from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch.nn import functional

from backbones.backbone import IMAGENET, Preprocessing
from backbones.construct import build as construct
from backbones.regularized_loss import regularized_loss
from backbones.regularizers import build
from pretrain.color_jitter import recolored
from workflow import registry


@MODELS.register_module()
class Classifier(BaseModel):
    """A network and what stands around it in pretraining.

    Args:
        network: its name.
        classes: number of classes.
        zero_init_residual: start each residual branch at zero.
        regularizers: of the config; all but those that act on an image are applied here.
        seed: of their draws.
        preprocessing: of the images.
    """

    def __init__(
        self,
        network: str,
        classes: int,
        zero_init_residual: bool = False,
        regularizers: dict | None = None,
        seed: int = 0,
        preprocessing: Preprocessing = IMAGENET,
    ) -> None:
        super().__init__({"type": "BaseDataPreprocessor", "non_blocking": True})  # it brings uint8 to the device
        self.declared = registry.network(network)
        self.network = construct(self.declared, classes, zero_init_residual)
        self.prepare = preprocessing
        self.regularizers = build(regularizers or {}, network=self.network)
        self.seed, self.classes = seed, classes

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor, colors: torch.Tensor | None = None, mode: str = "tensor"
    ) -> Any:
        """Images uint8 (N, 3, H, W), labels (N,), and of training images on a GPU new colours (N, 3, 4): the loss, or
        logits (N, classes), or for evaluation both."""
        if colors is not None:
            images = recolored(images, colors)
        images = self.prepare(images.contiguous(memory_format=torch.channels_last))
        if mode == "loss":
            return {"loss": self.loss(images, functional.one_hot(labels, self.classes).float())}
        logits = self.network(images)
        if mode == "predict":
            return [{"logits": logits.float(), "labels": labels}]
        return logits

    def loss(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Cross-entropy against class probabilities, after the regularizers of batch, network and target."""
        return regularized_loss(self.network, self.declared, self.regularizers, self.seed, images, targets)
