"""Which known network has weights of these names and shapes? Declared ones are built to compare; timm's and
torchvision's models are looked up in `signatures.txt`, which `python -m backbones.likeness` writes anew for another
timm."""

import contextlib
import hashlib
import importlib
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from backbones.key_names import COUNTER, UNSAVED
from workflow import registry
from workflow.contracts import Network
from workflow.core.errors import UserError

FILE = Path(__file__).with_name("signatures.txt")
Shape = tuple[int, ...]
FEWEST = 8  # tensors of a network
DEEPEST = 4  # parts of a prefix


def term(name: str, shape: Shape) -> int:
    """What a tensor adds to a signature."""
    return int.from_bytes(hashlib.blake2b(f"{name} {tuple(shape)}".encode(), digest_size=4).digest(), "big")


def terms(shapes: Mapping[str, Shape]) -> dict[str, int]:
    """What each tensor adds to a signature: nothing if it counts steps, or follows from the network."""
    kept = (name for name in shapes if not name.endswith(COUNTER) and not UNSAVED.search(name))
    return {name: term(name, shapes[name]) for name in kept}


def shapes_of_state(state: Mapping[str, Any]) -> dict[str, Shape]:
    """The shape of each tensor."""
    return {name: tuple(value.shape) for name, value in state.items()}


def total(added: Mapping[str, int], classifier: Iterable[str]) -> str:
    """A signature: of all tensors but the classifier's, in any order."""
    last = tuple(f"{name}." for name in classifier)
    return f"{sum(value for name, value in added.items() if not name.startswith(last)) % 2**32:08x}"


def likeness(shapes: Mapping[str, Shape]) -> list[str]:
    """The names of all known networks of which a file's tensors are the weights, under any prefix, with any number of
    classes or none: as a config names them, or `torchvision's <name>`."""
    for prefix in prefixes(shapes):
        below = {name[len(prefix) :]: shape for name, shape in shapes.items() if name.startswith(prefix)}
        if found := of_families(below):
            return found
        added = terms(below)
        for known, classifiers in (declared(), published()):
            for classifier in classifiers:
                if found := known.get(total(added, classifier)):
                    return found
    return []


def of_families(shapes: Mapping[str, Shape]) -> list[str]:
    """The networks of families that tell one by its weights."""
    found = []
    for family in (each for each in registry.network_families() if each.candidate):
        module, _, function = family.candidate.partition(":")
        with contextlib.suppress(UserError):
            network = registry.network(getattr(importlib.import_module(module), function)(shapes) or "none")
            if total(terms(shapes), [network.classifier]) == signature(network):
                found.append(network.name)
    return found


def prefixes(names: Iterable[str]) -> Iterator[str]:
    """Those that enough of the names begin with, from the shortest, ending with a dot or empty."""
    counts: dict[str, int] = {}
    for name in names:
        parts = name.split(".")
        for depth in range(min(DEEPEST, len(parts) - 1) + 1):
            prefix = "".join(f"{part}." for part in parts[:depth])
            counts[prefix] = counts.get(prefix, 0) + 1
    return (prefix for prefix, count in sorted(counts.items(), key=lambda one: len(one[0])) if count >= FEWEST)


Known = tuple[dict[str, list[str]], list[tuple[str, ...]]]  # signature to names, and the classifiers that there are


def signature(network: Network) -> str:
    """Of the torch module of a network."""
    import torch

    from backbones.construct import build

    with torch.device("meta"):
        state = build(network, classes=1).state_dict()
    return total(terms(shapes_of_state(state)), [network.classifier])


@cache
def declared() -> Known:
    """The networks that are declared each."""
    found: dict[str, list[str]] = {}
    for network in registry.networks().values():
        found.setdefault(signature(network), []).append(network.name)
    return found, [(name,) for name in {network.classifier for network in registry.networks().values()}]


@cache
def published() -> Known:
    """timm's and torchvision's models."""
    first, *lines = FILE.read_text(encoding="utf-8").splitlines()
    rows = (line.split() for line in lines)
    return {signature: names for signature, *names in rows}, [tuple(each.split(",")) for each in first.split()]


def models() -> Iterator[tuple[str, Mapping[str, Shape], tuple[str, ...]]]:
    """(name, shapes, classifiers) of each model of timm and torchvision, built without numbers."""
    import timm
    import torch
    import torchvision

    for name in timm.list_models():
        with torch.device("meta"):
            model = timm.create_model(name)
        last = model.default_cfg.get("classifier") or ()
        yield f"timm/{name}", shapes_of_state(model.state_dict()), (last,) if isinstance(last, str) else tuple(last)
    for name in torchvision.models.list_models(module=torchvision.models):
        with contextlib.suppress(NotImplementedError), torch.device("meta"):  # RegNets compute their widths
            one, other = (
                shapes_of_state(torchvision.models.get_model(name, num_classes=n).state_dict()) for n in (7, 9)
            )
            differ = {key.rpartition(".")[0] for key in one if one[key] != other[key]}
            yield f"torchvision/{name}", one, tuple(sorted(differ))


def main() -> None:
    """Write the file: the classifiers, then a line for each signature with the names of its models."""
    found: dict[str, list[str]] = {}
    classifiers = set()
    for name, shapes, classifier in models():
        classifiers.add(",".join(classifier) or "-")
        found.setdefault(total(terms(shapes), classifier), []).append(name)
    lines = [" ".join(sorted(classifiers)), *sorted(" ".join([key, *names]) for key, names in found.items())]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
