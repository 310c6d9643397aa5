"""The published backbone: a network in safetensors, with its name and its preprocessing in the metadata.

All tasks load it through this module. Loading is strict: but for the classifier, every tensor of the file must
find its place, and every place its tensor.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save

from backbones import construct
from workflow import registry
from workflow.contracts import Network
from workflow.core.errors import UserError
from workflow.core.files import atomic, digest, read_json
from workflow.training.device_copies import upload

KEY = "backbone"  # of the metadata
CHECKSUM = "sha256"  # in the value of that key
COUNTER = "num_batches_tracked"  # BatchNorm's step counter: no weight, absent from old files
STRIDE = "3x3"  # the convolution with the stride in a stage's first block, where torchvision and timm have it


@dataclass(frozen=True)
class Preprocessing:
    """What a backbone expects of its input: channel order, and mean and std per channel in pixel units (0 to 255)."""

    channel_order: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __call__(self, images: torch.Tensor) -> torch.Tensor:
        """RGB uint8 images (N, 3, H, W) to what the network expects, float32, same shape."""
        if self.channel_order == "BGR":
            images = images.flip(1)
        mean, std = upload(torch.tensor((self.mean, self.std)), images.device).view(2, 1, 3, 1, 1)
        return (images - mean).div_(std)  # of a batch at 224 px each pass and each copy counts


IMAGENET = Preprocessing("RGB", (123.675, 116.28, 103.53), (58.395, 57.12, 57.375))


def preprocessing(declared: str | dict) -> Preprocessing:
    """From the config: `imagenet`, or a mapping with channel_order, mean and std (the schema has checked it)."""
    if declared == "imagenet":
        return IMAGENET
    return Preprocessing(declared["channel_order"], tuple(declared["mean"]), tuple(declared["std"]))


def recipe_preprocessing(recipe: Mapping[str, Any]) -> Preprocessing:
    """Of a network that is pretrained by a recipe: its `mean` and `std`, of RGB."""
    return Preprocessing("RGB", tuple(recipe["mean"]), tuple(recipe["std"]))


def save_backbone(
    path: Path,
    weights: dict[str, torch.Tensor],
    prepare: Preprocessing,
    network: str,
    stride: str = STRIDE,
    **about: Any,
) -> None:
    """Write `backbone.safetensors` atomically: fp32, contiguous, the network's own names.

    Preprocessing, network, stride, `about` and the checksum of it all are one JSON value under one key: safetensors
    writes several keys in random order, and equal backbones would be unequal files. Its `save_file` would let nobody
    else read the file, whatever the umask says.
    """
    write_tensors(path, KEY, {**asdict(prepare), "network": network, "stride": stride, **about}, weights)


def write_tensors(path: Path, key: str, about: dict[str, Any], weights: dict[str, torch.Tensor]) -> None:
    """Write a safetensors file atomically, with `about` and the checksum of it all as JSON under one key."""
    tensors = {name: value.detach().cpu().contiguous() for name, value in weights.items()}
    about = json.loads(json.dumps(about))
    header = {key: json.dumps({**about, CHECKSUM: checksum(about, tensors)}, sort_keys=True)}
    with atomic(path) as temporary:
        temporary.write_bytes(save(tensors, header))


def checksum(about: dict[str, Any], tensors: dict[str, torch.Tensor]) -> str:
    """SHA-256 of what a backbone's metadata say (but for this) and of each tensor: name, type, shape, bytes."""
    found = hashlib.sha256(digest({key: value for key, value in about.items() if key != CHECKSUM}).encode())
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        found.update(tensor.contiguous().flatten().view(torch.uint8).numpy())
    return found.hexdigest()


def verify(path: Path, about: dict[str, Any], tensors: dict[str, torch.Tensor]) -> None:
    """UserError if a file is not as it was published. One from before there was a checksum cannot be told."""
    if CHECKSUM in about and about[CHECKSUM] != checksum(about, tensors):
        again = "remove it, and the same command makes it again"
        raise UserError(f"{path}: damaged: its content is not what was published; {again}")


def publish_untrained(path: Path, network: str, classes: Sequence[str] = ()) -> Preprocessing:
    """Something to start from where only the time counts, and its preprocessing; `classes` of its classifier, which has
    1,000 without names otherwise. Blocks begin as the identity: with frozen batch norm, other features of random
    weights grow beyond bounds."""
    module = construct.build(registry.network(network), classes=len(classes) or 1000, zero_init_residual=True)
    save_backbone(path, module.state_dict(), IMAGENET, network, origin="random", classes=list(classes))
    return IMAGENET


def metadata(path: Path) -> dict[str, Any]:
    """Preprocessing, network, stride and origin of a published backbone, and more by origin; UserError if the file is
    none, or its network is not declared here."""
    try:
        with safe_open(path, framework="pt") as file:
            about = {"stride": STRIDE} | json.loads((file.metadata() or {})[KEY])  # older files do not say
            Preprocessing(about["channel_order"], about["mean"], about["std"])
            name = str(about["network"])
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: cannot be read as safetensors: {error}") from None
    except (KeyError, TypeError, ValueError):
        raise UserError(f"{path}: no published backbone: its metadata have no key {KEY!r}, or not as ours") from None
    try:
        registry.network(name)
    except UserError as error:
        raise UserError(f"{path}: its network is not declared here: {error}") from None
    return about


def network_of(path: Path) -> Network:
    """The declaration of the network of a published backbone; UserError as of `metadata`."""
    return registry.network(metadata(path)["network"])


def pretraining_regularizers(path: Path) -> dict[str, Any]:
    """Those that a published backbone was pretrained with, as in a config; of an imported or random one none are
    known."""
    if metadata(path).get("origin") != "pretrained":
        return {}
    config = read_json(path.with_name("config.json"), "recipe")
    found: dict[str, Any] = config["recipe"]["regularizers"]
    return found


def load_weights(path: Path, expected: str | None = None) -> tuple[dict[str, torch.Tensor], Preprocessing]:
    """The weights and the preprocessing of a published backbone; UserError if it is not one, not as it was published,
    or not the file whose SHA-256 is `expected`."""
    about, content = metadata(path), path.read_bytes()
    if expected and hashlib.sha256(content).hexdigest() != expected:
        raise UserError(f"{path}: it has changed since this run began; the same command begins with what is there now")
    weights = load(content)
    verify(path, about, weights)
    return weights, Preprocessing(about["channel_order"], tuple(about["mean"]), tuple(about["std"]))


def set_stride(module: torch.nn.Module, where: str, network: Network) -> None:
    """Let the first block of each stage halve its input in the convolution `where` (`1x1` or `3x3`), in place.

    The same weights with the other stride are another network. Works on torchvision's and timm's bottlenecks;
    a network of another kind stays as it is.
    """
    for block in module.modules() if len(network.strides) > 1 else ():
        if all(hasattr(block, name) for name in ("conv1", "conv2", "conv3")):
            stride = max(block.conv1.stride, block.conv2.stride)
            block.conv1.stride, block.conv2.stride = (stride, (1, 1)) if where == "1x1" else ((1, 1), stride)


def load_backbone(path: Path, *modules: torch.nn.Module, expected: str | None = None) -> dict[str, int]:
    """Copy a published backbone into `modules`, whose own keys are its network's, and say so.

    The modules' strides go where the backbone has them; a resumed network, which is not loaded anew, must be built so.

    Several modules share the backbone where a network splits it (C4: layer4 is in the RoI head). `expected` is the
    SHA-256 of the file that the run has recorded. Returns the counts of matched, missing and unexpected keys. UserError
    names the keys if a place stays empty, a shape differs, or anything but the classifier is left over.
    """
    weights, _ = load_weights(path, expected)
    about = metadata(path)
    network = registry.network(about["network"])
    places = {key: value for module in modules for key, value in module.state_dict().items()}
    missing = sorted(key for key in places.keys() - weights.keys() if not key.endswith(COUNTER))
    unexpected = sorted(key for key in weights.keys() - places.keys() if not key.startswith(f"{network.classifier}."))
    matched = weights.keys() & places.keys()
    shapes = sorted(key for key in matched if weights[key].shape != places[key].shape)
    report = {"matched": len(matched), "missing": len(missing), "unexpected": len(unexpected)}
    left = len(weights) - len(matched) - len(unexpected)
    counts = ", ".join(f"{n} keys {k}" for k, n in report.items())
    print(f"backbone {path}: {counts}, {left} of {network.classifier} left over")
    for keys, fault in ((missing, "missing"), (unexpected, "unexpected"), (shapes, "of another shape")):
        if keys:
            raise UserError(f"{path}: {len(keys)} keys {fault}: {', '.join(keys[:5])}{' ...' * (len(keys) > 5)}")
    for module in modules:
        module.load_state_dict({key: weights[key] for key in module.state_dict() if key in weights}, strict=False)
        set_stride(module, about["stride"], network)
    return report


def load_features(path: Path, module: torch.nn.Module, network: Network, expected: str | None = None) -> None:
    """Copy a published backbone into a torch module of its network but for the classifier, which stays as it is.
    `expected` as in `load_backbone`."""
    above, _, last = network.classifier.rpartition(".")
    place = module.get_submodule(above)
    classifier = getattr(place, last)
    setattr(place, last, torch.nn.Identity())
    load_backbone(path, module, expected=expected)
    setattr(place, last, classifier)
