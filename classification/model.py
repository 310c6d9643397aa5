"""A published network with a new classifier, of which all is trained, its last stage, or the classifier only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from mmengine.model import BaseModel
from mmengine.registry import MODELS
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from backbones.backbone import Preprocessing, load_features, set_stride
from backbones.construct import build as construct
from backbones.regularized_loss import regularized_loss
from backbones.regularizers import build
from workflow import registry
from workflow.contracts import Network


def frozen(module: nn.Module, network: Network, train: str) -> Iterator[nn.Parameter]:
    """The weights that are not trained: none of `all`; of `last_stage` those before it, none if it is the only one; of
    `head` all but the classifier's.

    Args:
        module: the torch module of `network`.
        network: its declaration.
        train: of the recipe.
    """
    names = [name for name, _ in module.named_modules()]  # from input to output
    end = 0
    if train == "head":
        end = names.index(network.classifier)
    elif train == "last_stage" and len(network.stages) > 1:  # its own name may be that of its last module only
        before = network.stages[-2].name
        end = 1 + max(place for place, name in enumerate(names) if f"{name}.".startswith(f"{before}."))
    for name in names[:end]:
        yield from module.get_submodule(name).parameters(recurse=False)


@MODELS.register_module()
class Finetuned(BaseModel):
    """A network and the regularizers that it is tuned with. Batch norm keeps the statistics of the backbone where its
    weights are frozen, and everywhere with `freeze_bn`.

    Args:
        network: its name.
        classes: number of classes.
        prepare: the backbone's preprocessing: channel order, mean and std.
        stride: where the backbone's stages have their stride.
        train: `head`, `last_stage` or `all`.
        freeze_bn: whether all batch norm keeps its statistics.
        regularizers: of the config; those that act on an image have acted.
        seed: of their draws.
    """

    def __init__(
        self,
        network: str,
        classes: int,
        prepare: dict[str, Any],
        stride: str,
        train: str,
        freeze_bn: bool,
        regularizers: dict[str, Any],
        seed: int,
    ) -> None:
        super().__init__({"type": "BaseDataPreprocessor", "non_blocking": True})
        self.declared = registry.network(network)
        self.network = construct(self.declared, classes)
        self.prepare = Preprocessing(**prepare)
        set_stride(self.network, stride, self.declared)
        for weight in frozen(self.network, self.declared, train):
            weight.requires_grad_(False)
        self.freeze_bn, self.classes, self.seed = freeze_bn, classes, seed
        self.regularizers = build(regularizers, prepare["mean"], self.network)

    def load(self, backbone: Path, expected: str | None = None) -> None:
        """Start from a published backbone, whose SHA-256 is `expected`, with a classifier that knows nothing."""
        load_features(backbone, self.network, self.declared, expected)

    def train(self, mode: bool = True) -> "Finetuned":
        """Like any module's, but for batch norm that keeps its statistics."""
        super().train(mode)
        for module in self.modules():
            if isinstance(module, _BatchNorm) and (self.freeze_bn or not module.weight.requires_grad):
                module.eval()
        return self

    def forward(self, images: torch.Tensor, labels: torch.Tensor, image: torch.Tensor, mode: str = "tensor") -> Any:
        """Images uint8 (N, 3, H, W), labels (N,), their places in the set (N,): the loss, or logits (N, classes), or
        for evaluation predicted labels and places."""
        images = self.prepare(images.contiguous(memory_format=torch.channels_last))
        if mode == "loss":
            targets = functional.one_hot(labels, self.classes).float()
            declared = self.network, self.declared, self.regularizers, self.seed
            return {"loss": regularized_loss(*declared, images, targets)}
        logits = self.network(images).float()
        if mode != "predict":
            return logits
        predicted = torch.where(logits.isfinite().all(dim=1), logits.argmax(dim=1), -1)
        return [{"predicted": predicted, "image": image}]
