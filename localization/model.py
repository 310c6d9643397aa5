"""A classifier that is fine-tuned to localize: a network with another stride of its last map and a new classifier."""

from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch.nn import functional

from backbones.backbone import Preprocessing, load_features, set_stride
from backbones.construct import build as construct
from backbones.construct import set_map_stride
from backbones.regularized_loss import regularized_loss
from backbones.regularizers import build
from localization.cam import class_maps, features_and_logits
from workflow import registry


@MODELS.register_module()
class Localizer(BaseModel):
    """A network, the regularizers that it is fine-tuned with, and its maps.

    Args:
        network: its name.
        classes: number of classes.
        prepare: the backbone's preprocessing: channel order, mean and std.
        stride: where the backbone's stages have their stride.
        map_stride: of the last map, px.
        cam_class: `ground_truth` or `predicted`.
        regularizers: of the config; those that act on an image have acted.
        seed: of their draws.
    """

    def __init__(
        self,
        network: str,
        classes: int,
        prepare: dict[str, Any],
        stride: str,
        map_stride: int,
        cam_class: str,
        regularizers: dict[str, Any],
        seed: int,
    ) -> None:
        super().__init__({"type": "BaseDataPreprocessor", "non_blocking": True})
        self.declared = registry.network(network)
        self.network = construct(self.declared, classes)
        self.prepare = Preprocessing(**prepare)
        set_stride(self.network, stride, self.declared)
        set_map_stride(self.network, self.declared, map_stride)
        self.cam_class, self.classes = cam_class, classes
        self.regularizers, self.seed = build(regularizers, network=self.network), seed

    def load(self, backbone: Path, expected: str | None = None) -> None:
        """Start from a published backbone, whose SHA-256 is `expected`, with a classifier that knows nothing."""
        load_features(backbone, self.network, self.declared, expected)

    def forward(self, images: torch.Tensor, labels: torch.Tensor, image: torch.Tensor, mode: str = "tensor") -> Any:
        """Images uint8 (N, 3, H, W), labels (N,), their places in the set (N,): the loss, or logits (N, classes), or
        for evaluation maps, predicted labels and places."""
        images = self.prepare(images.contiguous(memory_format=torch.channels_last))
        if mode == "loss":
            targets = functional.one_hot(labels, self.classes).float()
            declared = self.network, self.declared, self.regularizers, self.seed
            return {"loss": regularized_loss(*declared, images, targets)}
        features, logits = features_and_logits(self.network, self.declared, images)
        if mode != "predict":
            return logits
        predicted = torch.where(logits.isfinite().all(dim=1), logits.argmax(dim=1), -1)
        shown = labels if self.cam_class == "ground_truth" else predicted.clamp(min=0)
        weight = self.network.get_submodule(self.declared.classifier).weight
        return [{"maps": class_maps(features, weight, shown), "predicted": predicted, "image": image}]
