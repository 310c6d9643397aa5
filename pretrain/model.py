"""torchvision's ResNet-50 as a classifier that mmengine trains, with the batch regularizers in front of it."""

from typing import Any

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch.nn import functional
from torchvision.models import resnet50

from pretrain.backbone import IMAGENET
from pretrain.regularizers import build
from workflow.training.rng import rng


@MODELS.register_module()
class Classifier(BaseModel):
    """A ResNet-50 and what stands around it in pretraining.

    Args:
        classes: number of classes.
        zero_init_residual: start each residual branch at zero (torchvision's switch).
        regularizers: of the config; those that act on a batch are applied here.
        seed: of their draws.
    """

    def __init__(
        self,
        classes: int,
        zero_init_residual: bool = False,
        regularizers: dict | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.network = resnet50(weights=None, num_classes=classes, zero_init_residual=zero_init_residual)
        self.prepare = IMAGENET
        self.regularizers = build(regularizers or {})
        self.seed, self.classes = seed, classes

    def forward(self, images: torch.Tensor, labels: torch.Tensor, mode: str = "tensor") -> Any:
        """Images uint8 (N, 3, H, W), labels (N,): the loss, or logits (N, classes), or for evaluation their ranks."""
        images = self.prepare(images).contiguous(memory_format=torch.channels_last)
        if mode == "loss":
            return {"loss": self.loss(images, functional.one_hot(labels, self.classes).float())}
        logits = self.network(images)
        if mode == "predict":
            return [{"logits": logits.float(), "labels": labels}]
        return logits

    def loss(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Cross-entropy against class probabilities, after the batch regularizers."""
        for regularizer in self.regularizers:
            draws = rng(self.seed, regularizer.name, MessageHub.get_current_instance().get_info("iter"))
            images, targets = regularizer.batch(images, targets, draws)
        return functional.cross_entropy(self.network(images).float(), targets)
