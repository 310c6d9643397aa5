"""The full sets of a network's weights in an imported file: the keys that fill the network under one prefix, wherever
they lie (nested mappings, lists without names); which set is an average of another, and which tensors are left over."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from backbones.key_names import COUNTER, SELF_SUPERVISED, Shapes
from backbones.resnet_files import Naming

OPTIMIZER = re.compile(r"optim|exp_avg|momentum_buffer", re.IGNORECASE)  # its tensors are those of the network in shape
AVERAGED = re.compile(r"(?<![a-z])(ema|swa|avg|averag|polyak|shadow)|(?<![a-z])(?!schema)[a-z]*ema(?![a-z])")
COUNTERS = ("n_averaged", "steps", "num_updates")  # beside an average in torch, mmengine, timm's relatives
SWAPPED = (
    {"meta", "state_dict", "ema_state_dict"},
    ("state_dict", "ema_state_dict"),
)  # by mmengine's EMAHook on saving
DEEPEST = 8

Path = tuple[str, ...]


@dataclass(frozen=True)
class WeightSet:
    """A set's `name` (its place in the file: keys and prefix), whether it is marked as an average, whether it is `full`
    (all parameters, and nothing of another network), its weights under the network's names (none of a list, which has
    no names), and the places of their tensors in the file."""

    name: str
    averaged: bool
    full: bool
    weights: dict[str, Any] = field(repr=False)
    places: set[str] = field(repr=False)

    def has_statistics(self, shapes: Shapes) -> bool:
        """Can it be used? An average may be without batch norm's statistics, and a list is."""
        return shapes.all.keys() <= self.weights.keys()


def weight_sets(content: object, shapes: Shapes) -> list[WeightSet]:
    """All full sets of a network in an opened file, of equal ones the first; else the one that comes nearest, if there
    is any."""
    found: list[WeightSet] = []
    nearest: list[WeightSet] = []
    swapped = isinstance(content, dict) and set(dict.keys(content)) >= SWAPPED[0]
    opened = [each for each in containers(content) if not OPTIMIZER.search("/".join(each[0]))]
    projects = any(
        SELF_SUPERVISED.search(place(path, key)) for path, entries, _ in opened for key in tensors_of(entries)
    )
    for path, entries, named in opened:
        for one in of_mapping(entries, path, swapped, projects, shapes) if named else of_list(entries, path, shapes):
            if not one.full:
                nearest.append(one)
            elif not any(same(one, other, shapes) for other in found):
                found.append(one)
    return found or sorted(nearest, key=lambda one: -fitting(one.weights, shapes))[:1]


def containers(content: object) -> Iterator[tuple[Path, dict[str, Any], bool]]:
    """(path, entries, whether they have names) of each mapping and list, each once, from the outermost inwards."""
    todo: list[tuple[Path, Any]] = [((), content)]
    seen = set()
    while todo:
        path, container = todo.pop()
        if not isinstance(container, dict | list | tuple) or id(container) in seen or len(path) > DEEPEST:
            continue
        seen.add(id(container))
        named = isinstance(container, dict)  # a pickle may have laid other things over its methods
        pairs = dict.items(container) if isinstance(container, dict) else enumerate(container)
        entries = {str(key): value for key, value in pairs}
        yield path, entries, named
        todo += [((*path, key), value) for key, value in reversed(entries.items())]


def tensors_of(entries: dict[str, Any]) -> dict[str, Any]:
    """The tensors among the entries of a container."""
    import torch

    return {key: value for key, value in entries.items() if isinstance(value, torch.Tensor)}


def of_mapping(
    entries: dict[str, Any], path: Path, swapped: bool, projects: bool, shapes: Shapes
) -> Iterator[WeightSet]:
    """The sets whose keys are this mapping's, full or not, each behind a prefix and in the naming that fits; without
    a classifier that `projects`, as of self-supervised encoders: what it puts out is no class."""
    tensors = tensors_of(entries)
    prefixes: dict[str, list[Naming]] = {}
    for naming in shapes.namings:
        for key in tensors:
            if key == naming.anchor or key.endswith(f".{naming.anchor}"):
                prefixes.setdefault(key.removesuffix(naming.anchor), []).append(naming)
    for prefix in sorted(prefixes, key=len):
        if OPTIMIZER.search(prefix):
            continue
        found = (renamed(tensors, prefix, naming, shapes) for naming in prefixes[prefix])
        everything = max(found, key=lambda keys: fitting(keys, shapes))
        keys = {name: key for name, key in everything.items() if not shapes.is_unsaved(name)}
        weights = {name: tensors[key] for name, key in keys.items()}
        full = fits(weights, shapes)
        keys |= {} if projects else classifier(tensors, prefix, shapes)
        averaged = is_average(path, prefix, entries, next(iter(shapes.all))) != (
            swapped and path in {(each,) for each in SWAPPED[1]}
        )
        places = {place(path, key) for key in (keys | everything).values()}
        yield WeightSet(named(path, prefix), averaged, full, {name: tensors[key] for name, key in keys.items()}, places)


def renamed(tensors: dict[str, Any], prefix: str, naming: Naming, shapes: Shapes) -> dict[str, str]:
    """The network's own name -> key, of the network's parts (and another's stem) under a prefix."""
    names = {key: naming.translate(naming.below(prefix, key)) for key in tensors}
    return {name: key for key, name in names.items() if shapes.has_part(name)}


def fitting(keys: dict[str, Any], shapes: Shapes) -> int:
    """How much of the network is there."""
    return len(shapes.all.keys() & keys.keys())


def fits(weights: dict[str, Any], shapes: Shapes) -> bool:
    """Are all parameters there, and nothing of the network's parts that it has not?"""
    wanted = shapes.parameters.items()
    return all(name in weights and tuple(weights[name].shape) == shape for name, shape in wanted) and all(
        name in shapes.all or name.endswith(COUNTER) for name in weights
    )


def classifier(tensors: dict[str, Any], prefix: str, shapes: Shapes) -> dict[str, str]:
    """The network's own name -> key of a classifier of its features; empty where there is none."""
    for inside, name in shapes.classifiers:
        if not prefix.endswith(inside):
            continue
        keys = {f"{shapes.last}{part}": f"{prefix.removesuffix(inside)}{name}{part}" for part in shapes.classifier}
        found = {tuple(tensors[key].shape[:1]) for key in keys.values() if key in tensors}
        rests = [tensors[key].shape[1:] if key in tensors else None for key in keys.values()]
        if len(found) == 1 and rests == [shape[1:] for shape in shapes.classifier.values()]:
            return keys
    return {}


def of_list(entries: dict[str, Any], path: Path, shapes: Shapes) -> Iterator[WeightSet]:
    """Tensors in the order and the shapes of the network's parameters, as some averages keep them."""
    wanted = list(shapes.parameters.values())
    tensors = tensors_of(dict(list(entries.items())[: len(wanted)]))
    if [tuple(one.shape) for one in tensors.values()] == wanted:
        yield WeightSet(named(path, ""), is_average(path, "", {}, ""), True, {}, {place(path, key) for key in tensors})


def same(one: WeightSet, other: WeightSet, shapes: Shapes) -> bool:
    """Have both the same numbers, as a network that is there twice? (Once perhaps without its classifier.)"""
    import torch

    for name in shapes.all.keys() | (one.weights.keys() & other.weights.keys()):
        a, b = one.weights.get(name), other.weights.get(name)
        if a is None or b is None or (a.dtype, a.shape, a.layout, a.device) != (b.dtype, b.shape, b.layout, b.device):
            return False
        if a.data_ptr() != b.data_ptr() and not (a.layout == torch.strided and torch.equal(a, b)):
            return False
    return True


def is_average(path: Path, prefix: str, entries: dict[str, Any], first: str) -> bool:
    """By the words of its place, by a counter beside it, or by the set under mmcv 1's names beside it, the raw one, of
    whose weights `first` is one."""
    base = prefix.removesuffix("backbone.")
    mark = base.removesuffix("module.")
    if base.endswith("module.") and any(mark + counter in entries for counter in COUNTERS):
        return True
    inner = re.sub(r"^(module\.)*", "", prefix)
    outer = prefix[: len(prefix) - len(inner)]
    if f"{outer}ema_{f'{inner}{first}'.replace('.', '_')}" in entries:
        return True
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", "/".join((*path, prefix)))
    return bool(AVERAGED.search(words.lower()))


def named(path: Path, prefix: str) -> str:
    """How the config names a set: `model`, `state_dict/ema_model`."""
    parts = [*path, *([prefix.rstrip(".")] if prefix else [])]
    return re.sub(r"[^\w./-]", "?", "/".join(parts), flags=re.ASCII) or "/"


def place(path: Path, key: str) -> str:
    """A tensor's place in the file."""
    return "/".join((*path, key))


def left_over(content: object, places: set[str]) -> list[str]:
    """Whatever other tensors the file has, each by the shortest part of its place that leads to none of the set's."""
    used = {part for one in places for part in parts(one)}
    rest: dict[str, None] = {}
    for path, entries, _ in containers(content):
        for key in tensors_of(entries):
            steps = parts(place(path, key))
            if steps[-1] not in places:
                rest[next((step for step in steps if step not in used), steps[-1])] = None
    return list(rest)


def parts(whole: str) -> list[str]:
    """`a/b.c` as `a`, `a/b`, `a/b.c`."""
    return [whole[: end.start()] for end in re.finditer(r"(?<=.)[./]|$", whole, re.DOTALL)]
