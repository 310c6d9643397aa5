"""Is this the declared network, and if not, what does it look like? By names and shapes alone: which convolution of
a stage's first block has the stride is not among them, and is declared in the config."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from backbones import resnet_files
from backbones.key_names import COUNTER
from backbones.likeness import likeness, shapes_of_state
from workflow import registry
from workflow.contracts import Network
from workflow.core.errors import UserError


def check_weights(
    path: Path, weights: dict[str, Any], network: Network, tensors: dict[str, Any] | None = None
) -> dict[str, Any]:
    """`weights` in fp32, if they are exactly this network, with or without its classifier (whatever its classes).

    Missing step counters of BatchNorm are filled in. UserError says what the network looks like, by all `tensors` of
    the file if they are given, and where it first differs, or which weights are no finite numbers.
    """
    import torch

    from backbones.construct import build

    last = f"{network.classifier}."
    classifier = weights.get(f"{last}weight")
    classes = len(classifier) if classifier is not None and classifier.ndim else 1
    with torch.device("meta"):  # shapes alone: a crafted file may claim any number of classes
        expected = build(network, classes).state_dict()
    if not any(key.startswith(last) for key in weights):
        expected = {key: value for key, value in expected.items() if not key.startswith(last)}
    faults = list(differences(weights, expected, network.title))
    if faults:
        like = looks_like(weights, tensors or weights, network)
        more = f" (and {len(faults) - 1} more differences)" if len(faults) > 1 else ""
        raise UserError(f"checkpoint {path} is not {whose(network)}{like}: it {faults[0]}{more}")
    absent = torch.zeros((), dtype=torch.long)  # what a step counter begins with
    indices = {key for key, value in expected.items() if not value.is_floating_point()}
    return {
        key: finite_tensor(path, key, weights[key], key in indices) if key in weights else absent.clone()
        for key in expected
    }


def whose(network: Network) -> str:
    """`torchvision's ResNet-50`, or `a PyramidNet` of no library."""
    return f"{network.libraries[0]}'s {network.title}" if network.libraries else f"a {network.title}"


def differences(weights: dict[str, Any], expected: dict[str, Any], title: str) -> Iterator[str]:
    """What `weights` lack, have too much or in another shape; in the network's order, from input to output."""
    for key, value in expected.items():
        if key not in weights:
            if not key.endswith(COUNTER):
                yield f"lacks {key}"
        elif weights[key].shape != value.shape:
            yield f"has {key} of shape {tuple(weights[key].shape)} instead of {tuple(value.shape)}"
    for key in weights:
        if key not in expected:
            yield f"has {key}, which a {title} has not"


def finite_tensor(path: Path, key: str, value: Any, index: bool) -> Any:
    """One tensor of the file as its own fp32 tensor (a counter or an `index`: as it is); UserError if it is no finite
    number."""
    import torch

    value = torch.Tensor.detach(value)  # and so without what a pickle may have hung on it
    dense = value.layout == torch.strided and value.device.type == "cpu"
    if dense and value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise UserError(f"checkpoint {path}: {key} claims more numbers than the file holds")
    if index:
        return value.clone()
    if not value.is_floating_point() or not dense:
        kind = f"{value.dtype}, {value.layout} on {value.device}".replace("torch.", "")
        raise UserError(f"checkpoint {path}: {key} is of type {kind}; weights must be dense floating-point numbers")
    value = value.to(torch.float32, copy=True)
    if not value.isfinite().all():
        raise UserError(f"checkpoint {path}: {key} holds values that are not finite numbers")
    return value


def looks_like(weights: dict[str, Any], tensors: dict[str, Any], network: Network) -> str:
    """`, but looks like resnet101 (declare `network: resnet101`)`; empty if it looks like the network. `weights` are
    those that come nearest to it, `tensors` all of their file."""
    found = likeness(shapes_of_state(tensors))
    if network.name in found:
        return ""
    if usable := [name for name in found if is_network(name)]:
        which = "declare" if len(usable) == 1 else "declare which, as in"
        return f", but looks like {' or '.join(usable[:3])} ({which} `network: {usable[0]}`)"
    if found:
        other = found[0].replace("torchvision/", "torchvision's ")
        return f", but looks like {other}, which is not among the networks here"
    words = resnet_files.looks_like(shapes_of_state(weights), network)
    first = ", ".join(list(weights)[:3])
    return words if words is not None else f", nor any other known network (its keys begin with {first})"


def is_network(name: str) -> bool:
    """Whether a config can declare it."""
    try:
        return registry.network(name).name == name
    except UserError:
        return False
