"""Which of the known layouts a brought file has, which of its weight sets is meant, and its weights under torchvision's
names. A layout is told by the keys of the file's outermost mapping."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pretrain.weight_sets import WeightSet, weight_sets
from workflow.training.errors import UserError


@dataclass(frozen=True)
class Layout:
    """Files that have all of `marks` at the top, their weights under `raw`, an average of them (EMA) under `ema`."""

    name: str
    marks: tuple[str, ...]
    raw: str
    ema: str


# The first that fits is meant, so the narrow ones come first.
LAYOUTS = (
    # mmengine's EMAHook swaps the two on saving (before_save_checkpoint): the average lies under `state_dict`.
    Layout("mmpretrain checkpoint with EMA", ("meta", "state_dict", "ema_state_dict"), "ema_state_dict", "state_dict"),
    Layout("mmpretrain checkpoint", ("meta", "state_dict"), "state_dict", "ema_state_dict"),
    Layout("CutMix reference code", ("state_dict", "best_err1"), "state_dict", "state_dict_ema"),
    Layout("timm training checkpoint", ("state_dict", "version"), "state_dict", "state_dict_ema"),
    Layout("timm training checkpoint", ("state_dict_ema",), "state_dict", "state_dict_ema"),
    Layout("training checkpoint", ("state_dict", "ema_state_dict"), "state_dict", "ema_state_dict"),
    Layout("training checkpoint", ("state_dict",), "state_dict", "state_dict_ema"),
    Layout("torchvision training checkpoint", ("model",), "model", "model_ema"),
    Layout("torchvision training checkpoint", ("model_ema",), "model", "model_ema"),
)
PLAIN = "state dict"  # torchvision's and timm's: the same names, so nothing tells them apart
PUBLISHED = "backbone published by this workflow"
WRAPPERS = ("module.", "_orig_mod.")  # DataParallel and averaged models, torch.compile
RENAMED = {"backbone.": "", "head.fc.": "fc."}  # mmpretrain's names
OLD_EMA = "ema_backbone_"  # mmcv 1 keeps both sets in one mapping: the average under the plain names, the raw one here
SETS = {"ema": "its averaged weights (EMA)", "raw": "its weights without averaging", "only": "the weights that it has"}
AVERAGES = ("n_averaged", "steps")  # the counters of torch's and mmengine's averages
ANTI_ALIASED = ("resnetaa", "resnetblur")  # timm's, whose filters leave no trace in the weights


@dataclass(frozen=True)
class Found:
    """What a file is: its layout, the set that was taken (`ema`, `raw`, `only` if it has one and the config does not
    say, or the place that the config names), weights, and the keys that are left over."""

    layout: str
    which: str
    weights: dict[str, Any]
    left_over: list[str]


def found(path: Path, content: Any, wanted: str | None, published: bool = False) -> Found:
    """The weights of an opened file.

    `wanted` is `ema`, `raw`, a set's place in the file, or None for the average where there is one. UserError names
    what the file lacks, and the sets among which the config must choose.
    """
    if not isinstance(content, dict) or not content:
        raise UserError(f"checkpoint {path}: not a state dict: it holds {type(content).__name__} and no names")
    content = plain(content)
    refuse_anti_aliased(path, content)
    layout = next((each for each in LAYOUTS if all(is_mapping(content, each, mark) for mark in each.marks)), None)
    name = layout.name if layout else PUBLISHED if published else PLAIN
    sets = {"raw": content}
    if layout:
        keys = {"raw": layout.raw, "ema": layout.ema}
        sets = {which: plain(content[key]) for which, key in keys.items() if isinstance(content.get(key), dict)}
    if any(unwrapped(str(key)).startswith(OLD_EMA) for key in sets.get("raw", ())):
        sets = {"ema": sets["raw"]}
    full = weight_sets(content)
    if wanted not in (None, "ema", "raw") or len(full) > max(len(sets), 1):
        return of_several(path, name, full, wanted)
    taken = wanted or ("ema" if "ema" in sets else "raw")
    if taken not in sets:
        raise UserError(f"checkpoint {path}: weights: {taken} is declared, but the {name} has only {'/'.join(sets)}")
    return Found(name, taken if wanted or len(sets) > 1 else "only", *renamed(path, sets[taken]))


def of_several(path: Path, name: str, full: list[WeightSet], wanted: str | None) -> Found:
    """The set that is meant of several that no known layout tells apart.

    The one that is marked as an average is `ema`, the one that is not is `raw`, if there is one of each.
    """
    names = [each.name for each in full]
    pairs = {each.name: each for each in full}
    averages, others = ([each for each in full if each.averaged == kind] for kind in (True, False))
    if len(averages) == len(others) == 1:
        pairs |= {"ema": averages[0], "raw": others[0]}
    taken = wanted or ("ema" if "ema" in pairs else None)
    if taken not in pairs:
        asked = f"weights: {wanted} is declared, but it" if wanted else "it"
        raise UserError(
            f"checkpoint {path}: {asked} has {len(full)} full sets of a ResNet-50's weights ({', '.join(names)}), and "
            f"nothing says which one is meant: name it, as in `weights: {names[0] if names else 'raw'}`"
        )
    if not pairs[taken].weights:
        raise UserError(
            f"checkpoint {path}: {pairs[taken].name} is a list of tensors without names and batch norm's statistics, "
            f"and cannot be taken: choose another set, as in `weights: {(others or full)[0].name}`"
        )
    return Found(f"{name} with {', '.join(names)}", taken, *renamed(path, pairs[taken].weights))


def set_words(which: str) -> str:
    """A taken set in words."""
    return SETS.get(which, f"its weights under {which}")


def is_mapping(content: Mapping[str, Any], layout: Layout, mark: str) -> bool:
    """Is `mark` there, and a mapping if weights are to lie under it? (A network may have a part named `model`.)"""
    return mark in content and (mark not in (layout.raw, layout.ema) or isinstance(content[mark], dict))


def plain(mapping: dict[Any, Any]) -> dict[Any, Any]:
    """A mapping as a bare dict; a pickle may have laid other things over an OrderedDict's methods."""
    return dict(dict.items(mapping))


def refuse_anti_aliased(path: Path, content: dict[str, Any]) -> None:
    """What a training checkpoint says of its network, where the weights cannot tell."""
    arch = content.get("arch")
    if isinstance(arch, str) and arch.startswith(ANTI_ALIASED):
        raise UserError(f"checkpoint {path}: a {arch}, whose downsampling is anti-aliased, and not a ResNet-50")


def renamed(path: Path, weights: dict[Any, Any]) -> tuple[dict[str, Any], list[str]]:
    """(weights under torchvision's names, the keys that are no part of the network or its classifier)."""
    import torch

    bare = {}
    for key, value in weights.items():
        name = unwrapped(str(key))
        if name in bare:
            raise UserError(f"checkpoint {path}: it has {name} twice, with and without a wrapper's prefix")
        bare[name] = value
    tensors = {key: value for key, value in bare.items() if isinstance(value, torch.Tensor) and key not in AVERAGES}
    if not tensors:
        raise UserError(f"checkpoint {path}: not a state dict: under {', '.join(list(bare)[:4])} there is no tensor")
    if any(key.startswith("backbone.") for key in tensors):
        pairs = {key: torchvisions(key) for key in tensors}
        if twice := next((name for name, n in Counter(filter(None, pairs.values())).items() if n > 1), None):
            raise UserError(f"checkpoint {path}: it has {twice} twice, under {' and '.join(RENAMED)}")
        tensors = {name: tensors[key] for key, name in pairs.items() if name}
        return tensors, [key for key in bare if not pairs.get(key)]
    return tensors, [key for key in bare if key not in tensors]


def unwrapped(key: str) -> str:
    """`module.conv1.weight` as `conv1.weight`."""
    while key.startswith(WRAPPERS):
        key = key.partition(".")[2]
    return key


def torchvisions(key: str) -> str | None:
    """torchvision's name of one of mmpretrain's keys, None if it has none."""
    return next((new + key.removeprefix(old) for old, new in RENAMED.items() if key.startswith(old)), None)
