"""A published backbone with its classifier, as tasks evaluate it: eval mode, fp32, on the device in use, with the
stride and the preprocessing that it was published with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from backbones.backbone import Preprocessing, load_weights, metadata, network_of, set_stride
from backbones.construct import IMAGENET_CLASSES, build
from workflow.contracts import Network
from workflow.core.dataset_info import unknown_classes
from workflow.core.errors import UserError
from workflow.training.cpu_convs import channels_last


@dataclass(frozen=True)
class PublishedClassifier:
    """A network from pixels to logits. Called with images (N, 3, H, W), RGB, uint8 or float in pixel units (0 to 255),
    it gives logits (N, classes) float32; gradients reach the images, and its weights have none.

    Args:
        path: of its file.
        network: its declaration.
        module: its torch module, in eval mode.
        prepare: its preprocessing.
        classes: number of its outputs.
        names: of its classes, in the order of its outputs; empty if the file does not name them.
    """

    path: Path
    network: Network
    module: nn.Module
    prepare: Preprocessing
    classes: int
    names: tuple[str, ...]

    @property
    def device(self) -> torch.device:
        """Where its weights are."""
        return next(self.module.parameters()).device

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        logits: torch.Tensor = self.module(self.prepare(images.contiguous(memory_format=torch.channels_last)))
        return logits.float()

    def outputs(self, names: Sequence[str]) -> list[int]:
        """The outputs of the classes of a data set, in their order.

        The names of classes decide. An imported file does not have them: as many outputs as the data have classes are
        these, in their order, as in its score on ImageNet; otherwise 1,000 outputs are those of ImageNet (ILSVRC 2012).

        Args:
            names: of the classes of the data.

        Raises:
            UserError: if the network does not know all of them.
        """
        known = self.names
        if not known and self.classes == len(names):
            return list(range(self.classes))
        if not known and self.classes == IMAGENET_CLASSES:
            known = imagenet_wnids()
        if not known:
            last = f"its {self.network.classifier} has {self.classes} outputs, which the file does not name"
            raise UserError(f"{self.path}: {last}; the data have {len(names)} classes")
        places = {name: place for place, name in enumerate(known)}
        if unknown := unknown_classes(known, names):
            raise UserError(f"{self.path}: its {len(known)} classes lack {unknown}")
        return [places[name] for name in names]


def imagenet_wnids() -> tuple[str, ...]:
    """The synsets of ILSVRC 2012 in the order of their outputs."""
    from timm.data import ImageNetInfo

    return tuple(ImageNetInfo().label_names())


def build_classifier(network: Network, weights: Mapping[str, torch.Tensor], stride: str, device: str = "") -> nn.Module:
    """The torch module of complete weights with their classifier, in eval mode, its convolutions laid out for speed.
    Its weights get no gradients.

    Args:
        network: its declaration.
        weights: all of its tensors, of any number of classes.
        stride: which convolution of a stage's first block has the stride.
        device: that it is on; "": CUDA where there is a device, otherwise the CPU.
    """
    module = build(network, class_count(network, weights)).eval().requires_grad_(False)
    module.load_state_dict(weights)
    set_stride(module, stride, network)
    return channels_last(module.to(device or ("cuda" if torch.cuda.is_available() else "cpu")))


def load_classifier(path: Path, expected: str | None = None, device: str = "") -> PublishedClassifier:
    """Open a published backbone with its classifier; `workflow.training.precision.configure_torch` comes first.

    Args:
        path: `backbone.safetensors`.
        expected: its SHA-256, if a run has recorded it.
        device: as of `build_classifier`.

    Raises:
        UserError: if the file is not a published backbone, is damaged or another one, or has no classifier.
    """
    weights, prepare = load_weights(path, expected)
    network, about = network_of(path), metadata(path)
    if not class_count(network, weights):
        what = f"it has no {network.classifier}, so it classifies nothing (as encoders of self-supervised methods)"
        raise UserError(f"{path}: {what}")
    names = tuple(about.get("classes", ()))
    module = build_classifier(network, weights, about["stride"], device)
    return PublishedClassifier(path, network, module, prepare, class_count(network, weights), names)


def class_count(network: Network, weights: Mapping[str, Any]) -> int:
    """The number of outputs of the classifier among weights; 0 without one."""
    return len(weights.get(f"{network.classifier}.weight", ()))


def ranks(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How many classes come before the true one: logits (N, C), labels (N,) to (N,); 0 is a top-1 hit.

    Among equals the first class comes first, so a network that says the same of all classes is right on one of them;
    one that gives no finite numbers is never right.
    """
    true, classes = logits.gather(1, labels[:, None]), logits.shape[1]
    earlier = torch.arange(classes, device=labels.device) < labels[:, None]
    before = (logits > true) | ((logits == true) & earlier)
    return before.sum(dim=1).where(logits.isfinite().all(dim=1), torch.tensor(classes, device=labels.device))
