"""Is this the declared network, and if not, what does it look like? By names and shapes alone: which convolution of
a stage's first block has the stride is not among them, and is declared in the config."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow.contracts import Network
from workflow.core.errors import UserError

KNOWN = {  # blocks of the four stages, and whether a block has three convolutions
    ((2, 2, 2, 2), False): "ResNet-18",
    ((3, 4, 6, 3), False): "ResNet-34",
    ((2, 2, 2, 2), True): "ResNet-26",
    ((3, 4, 6, 3), True): "ResNet-50",
    ((3, 4, 23, 3), True): "ResNet-101",
    ((3, 8, 36, 3), True): "ResNet-152",
}
COUNTER = "num_batches_tracked"


def checked(path: Path, weights: dict[str, Any], network: Network) -> dict[str, Any]:
    """`weights` in fp32, if they are exactly this network, with or without its classifier (whatever its classes).

    Missing step counters of BatchNorm are filled in. UserError says what the network looks like and where it first
    differs, or which weights are no finite numbers.
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
        likeness = looks_like({key: tuple(value.shape) for key, value in weights.items()}, network)
        more = f" (and {len(faults) - 1} more differences)" if len(faults) > 1 else ""
        raise UserError(f"checkpoint {path} is not {whose(network)}{likeness}: it {faults[0]}{more}")
    absent = torch.zeros((), dtype=torch.long)  # what a step counter begins with
    return {key: number(path, key, weights[key]) if key in weights else absent.clone() for key in expected}


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


def number(path: Path, key: str, value: Any) -> Any:
    """One tensor of the file as its own fp32 tensor (a counter: as it is); UserError if it is no finite number."""
    import torch

    value = torch.Tensor.detach(value)  # and so without what a pickle may have hung on it
    dense = value.layout == torch.strided and value.device.type == "cpu"
    if dense and value.untyped_storage().nbytes() < value.numel() * value.element_size():
        raise UserError(f"checkpoint {path}: {key} claims more numbers than the file holds")
    if key.endswith(COUNTER):
        return value.clone()
    if not value.is_floating_point() or not dense:
        kind = f"{value.dtype}, {value.layout} on {value.device}".replace("torch.", "")
        raise UserError(f"checkpoint {path}: {key} is of type {kind}; weights must be dense floating-point numbers")
    value = value.to(torch.float32, copy=True)
    if not value.isfinite().all():
        raise UserError(f"checkpoint {path}: {key} holds values that are not finite numbers")
    return value


def looks_like(shapes: dict[str, tuple[int, ...]], network: Network) -> str:
    """`, but looks like a ResNet-101 (3, 4, 23, 3 blocks)`; empty if it looks like the network."""
    stages = [{key.split(".")[1] for key in shapes if key.startswith(f"layer{n}.")} for n in range(1, 5)]
    blocks = tuple(len(stage) for stage in stages)
    if not any(blocks):
        return f", nor any ResNet with its names (its keys begin with {', '.join(list(shapes)[:3])})"
    name = KNOWN.get((blocks, "layer1.0.conv3.weight" in shapes), "ResNet of another depth")
    wanted = tuple(len(stage.blocks) for stage in network.stages)
    about = [] if name == network.title else [f"{', '.join(map(str, blocks))} blocks{unlike(blocks, wanted, shapes)}"]
    about += signs(shapes)
    return f", but looks like a {name} ({'; '.join(about)})" if about else ""


def unlike(blocks: tuple[int, ...], wanted: tuple[int, ...], shapes: dict[str, tuple[int, ...]]) -> str:
    """What of these blocks is not the network's: their numbers, or their convolutions."""
    if blocks == wanted:
        return f" of {'three' if 'layer1.0.conv3.weight' in shapes else 'two'} convolutions"
    return f" instead of {', '.join(map(str, wanted))}" if any(wanted) else ""


def signs(shapes: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """What marks the relatives of torchvision's ResNets."""
    stem, first = shapes.get("conv1.weight"), shapes.get("layer1.0.conv2.weight")
    if any(key.startswith(("conv1.0.", "stem.")) for key in shapes):
        yield "a deep stem, as in ResNet-C and -D"
    elif stem and stem[1] != 3:
        yield f"for images of {stem[1]} channels"
    elif stem and stem[2:] != (7, 7):
        yield f"a first convolution of {stem[2]}×{stem[3]}"
    if len(shapes.get("layer1.0.downsample.1.weight", ())) == 4:
        yield "average pooling in its shortcuts, as in ResNet-D"
    if first and first[0] != first[1]:
        yield f"3×3 convolutions in {first[0] // max(first[1], 1)} groups, as in ResNeXt"
    elif first and "layer1.0.conv3.weight" in shapes and first[0] != 64:
        yield f"a layer1 that is {first[0]} channels wide instead of 64"
    if any(".se." in key or ".fc1." in key for key in shapes):
        yield "squeeze-and-excitation in its blocks"
    if any(key.endswith(".filt") for key in shapes):
        yield "anti-aliased downsampling"
    if any(re.search(r"conv\d\.bias$", key) for key in shapes):
        yield "convolutions with a bias"
    if not any(key.endswith("running_mean") for key in shapes):
        yield "no statistics of BatchNorm, as with GroupNorm or of parameters only"
