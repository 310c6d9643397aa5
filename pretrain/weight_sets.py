"""The full sets of a ResNet-50's weights in a brought file: found by the network's keys wherever they lie (nested
mappings, prefixes within one mapping, lists without names), and which of them is an average of the others."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

FIRST = "conv1.weight"
OPTIMIZER = re.compile(r"optim|exp_avg|momentum_buffer", re.IGNORECASE)  # its tensors are those of the network in shape
AVERAGED = re.compile(r"(?<![a-z])(ema|swa|avg|averag|polyak|shadow)|(?<![a-z])(?!schema)[a-z]*ema(?![a-z])")
COUNTERS = ("n_averaged", "steps", "num_updates")  # beside an average in torch, mmengine, timm's relatives
DEEPEST = 8


@dataclass(frozen=True)
class WeightSet:
    """A set's `name` (its place in the file: keys and prefix), whether it is marked as an average, and its weights
    under the network's names or mmpretrain's; none of a list, which has no names."""

    name: str
    averaged: bool
    weights: dict[Any, Any] = field(repr=False)


@cache
def _network() -> dict[str, tuple[int, ...]]:
    """Parameters of a ResNet-50 without its classifier: name -> shape, in its order."""
    import torch
    from torchvision.models import resnet50

    with torch.device("meta"):
        body = resnet50(weights=None).named_parameters()
    return {name: tuple(value.shape) for name, value in body if not name.startswith("fc.")}


def weight_sets(content: dict[Any, Any]) -> list[WeightSet]:
    """All full sets in an opened file; one that is there twice (the same tensors) is one."""
    found, seen = [], set()
    for one, tensors in _search(content, ()):
        mark = tuple(tensor.data_ptr() for tensor in (tensors[0], tensors[-1]))
        if mark not in seen:
            seen.add(mark)
            found.append(one)
    return found


def _search(content: Any, path: tuple[str, ...]) -> Iterator[tuple[WeightSet, list[Any]]]:
    """(set, its tensors) for each set at `path` or below it."""
    if len(path) > DEEPEST or (path and OPTIMIZER.search(path[-1])):
        return
    if isinstance(content, dict):
        entries = dict(dict.items(content))  # a pickle may have laid other things over its methods
        yield from _of_mapping({str(key): value for key, value in entries.items()}, path)
    elif isinstance(content, list | tuple):
        if _is_list_of_parameters(content):
            yield WeightSet(_name(path, ""), _is_average(path, ""), {}), list(content)
            return
        entries = dict(enumerate(content[:100]))
    else:
        return
    for key, value in entries.items():
        yield from _search(value, (*path, str(key)))


def _of_mapping(mapping: dict[str, Any], path: tuple[str, ...]) -> Iterator[tuple[WeightSet, list[Any]]]:
    """Those whose keys are this mapping's, each behind a prefix of its own."""
    import torch

    tensors = {key for key, value in mapping.items() if isinstance(value, torch.Tensor)}
    stems = [key.removesuffix(FIRST) for key in tensors if key == FIRST or key.endswith(f".{FIRST}")]
    prefixes = sorted((stem for stem in stems if all(stem + name in tensors for name in _network())), key=len)
    for prefix in prefixes:
        base = prefix.removesuffix("backbone.")  # mmpretrain's classifier lies beside it, not in it
        others = tuple(other for other in prefixes if other != prefix and len(other) >= len(prefix))
        mine = {
            key[len(base) :]: mapping[key] for key in mapping if key.startswith(base) and not key.startswith(others)
        }
        mark = base.removesuffix("module.")
        counted = base.endswith("module.") and any(mark + counter in mapping for counter in COUNTERS)
        one = WeightSet(_name(path, prefix), counted or _is_average(path, prefix), mine)
        yield one, [mapping[prefix + name] for name in _network()]


def _is_list_of_parameters(content: list[Any] | tuple[Any, ...]) -> bool:
    """Tensors in the order and the shapes of the network's parameters, as some averages keep them."""
    import torch

    shapes = list(_network().values())
    first = content[: len(shapes)]
    return all(isinstance(one, torch.Tensor) for one in first) and [tuple(one.shape) for one in first] == shapes


def _is_average(path: tuple[str, ...], prefix: str) -> bool:
    """By the words of its place."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", "/".join((*path, prefix)))
    return bool(AVERAGED.search(words.lower()))


def _name(path: tuple[str, ...], prefix: str) -> str:
    """How the config names a set: `model`, `state_dict/ema_model`."""
    parts = [*path, *([prefix.rstrip(".")] if prefix else [])]
    return re.sub(r"[^\w./-]", "?", "/".join(parts), flags=re.ASCII) or "/"
