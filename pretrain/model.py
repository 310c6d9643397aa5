"""A network as a classifier that mmengine trains, with the regularizers of batch, network and target."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.logging import MessageHub
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional

from backbones.backbone import IMAGENET
from backbones.construct import build as construct
from pretrain.regularizers import build
from pretrain.regularizers.base import FeatureTransforms
from workflow import registry
from workflow.contracts import Network
from workflow.core.rng import rng


@MODELS.register_module()
class Classifier(BaseModel):
    """A network and what stands around it in pretraining.

    Args:
        network: its name.
        classes: number of classes.
        zero_init_residual: start each residual branch at zero.
        regularizers: of the config; all but those that act on an image are applied here.
        seed: of their draws.
    """

    def __init__(
        self,
        network: str,
        classes: int,
        zero_init_residual: bool = False,
        regularizers: dict | None = None,
        seed: int = 0,
    ) -> None:
        super().__init__({"type": "BaseDataPreprocessor", "non_blocking": True})  # it brings uint8 to the device
        self.declared = registry.network(network)
        self.network = construct(self.declared, classes, zero_init_residual)
        self.prepare = IMAGENET
        self.regularizers = build(regularizers or {})
        self.seed, self.classes = seed, classes

    def forward(self, images: torch.Tensor, labels: torch.Tensor, mode: str = "tensor") -> Any:
        """Images uint8 (N, 3, H, W), labels (N,): the loss, or logits (N, classes), or for evaluation their ranks."""
        images = self.prepare(images.contiguous(memory_format=torch.channels_last))
        if mode == "loss":
            return {"loss": self.loss(images, functional.one_hot(labels, self.classes).float())}
        logits = self.network(images)
        if mode == "predict":
            return [{"logits": logits.float(), "labels": labels}]
        return logits

    def loss(self, images: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Cross-entropy against class probabilities, after the regularizers of batch, network and target."""
        hub = MessageHub.get_current_instance()
        iteration, progress = hub.get_info("iter"), hub.get_info("progress")
        drawing = [(each, rng(self.seed, each.name, iteration)) for each in self.regularizers]
        changes = []
        for regularizer, draws in drawing:
            images, targets = regularizer.batch(images, targets, draws)
        for regularizer, draws in drawing:
            inside, targets = regularizer.feature_transforms(images, targets, draws, progress, self.declared)
            changes.append(inside)
        for regularizer, draws in drawing:
            targets = regularizer.target(targets, draws)
        with changed(self.network, changes, self.declared):
            return functional.cross_entropy(self.network(images).float(), targets)


def channels_first(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A change of maps (N, C, H, W) as one of cells (N, H, W, C)."""
    return lambda cells: change(cells.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@contextlib.contextmanager
def changed(network: nn.Module, changes: list[FeatureTransforms], declared: Network) -> Iterator[None]:
    """Within, the outputs of the named modules are what `changes` make of them; `""` stands for the network's input."""
    handles, stages = [], {stage.name for stage in declared.stages if declared.layout == "NHWC"}
    for name, change in (item for each in changes for item in each.items()):
        if name:
            change = channels_first(change) if name in stages else change
            hook = network.get_submodule(name).register_forward_hook
            handles.append(hook(lambda module, inputs, output, change=change: change(output)))
        else:
            handles.append(network.register_forward_pre_hook(lambda module, inputs, change=change: change(inputs[0])))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
