"""Which of the weight sets of an imported file is meant: the only one, the one that is marked as an average, or the one
that the config names by its place."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from backbones.key_names import STATISTICS, shapes_of
from backbones.resnet_files import anti_aliased
from backbones.weight_sets import WeightSet, containers, left_over, tensors_of, weight_sets
from workflow.contracts import Network
from workflow.core.errors import UserError

PUBLISHED = "backbone published by this workflow"
SETS = {"ema": "its averaged weights (EMA)", "raw": "its weights without averaging", "only": "the weights that it has"}
COMPLETE = "save model.state_dict(), which holds them, instead of the parameters only"


@dataclass(frozen=True)
class FoundWeights:
    """What a file is: where in it the weights lie, the set that was taken (`ema`, `raw`, `only` if it has one and the
    config does not say, or the place that the config names), weights under the network's names, and what is left over;
    of a file without the network also the mapping with the most tensors.
    """

    layout: str
    which: str
    weights: dict[str, Any]
    left_over: list[str]
    tensors: dict[str, Any] = field(default_factory=dict)


def find_weights(
    path: Path, content: object, wanted: str | None, network: Network, published: bool = False
) -> FoundWeights:
    """The weights of an opened file, which are those of the network or come nearest to them.

    `wanted` is `ema`, `raw`, a set's place in the file, or None for the average where there is one. UserError names
    the sets among which the config must choose, or says that there are no weights.
    """
    if other := anti_aliased(content, network):
        raise UserError(f"checkpoint {path}: a {other}, whose downsampling is anti-aliased, and not a {network.title}")
    sets = weight_sets(content, shapes_of(network.name))
    if not sets or not sets[0].full:
        tensors = largest_mapping(path, content)
        return FoundWeights("", wanted or "only", sets[0].weights if sets else tensors, [], tensors)
    taken, which = choose(path, sets, wanted, network)
    names = [one.name for one in sets if one is not taken]
    layout = PUBLISHED if published else "state dict" if taken.name == "/" else f"state dict under {taken.name}"
    layout += f", beside {', '.join(names)}" if names else ""
    return FoundWeights(layout, which, taken.weights, left_over(content, taken.places))


def choose(path: Path, sets: list[WeightSet], wanted: str | None, network: Network) -> tuple[WeightSet, str]:
    """(the set that is meant, what it is called).

    The one that is marked as an average is `ema`, the one that is not is `raw`, if there is one of the kind.
    """
    averages, others = ([one for one in sets if one.averaged == kind] for kind in (True, False))
    pairs = {one.name: one for one in sets}
    pairs |= {which: kind[0] for which, kind in (("ema", averages), ("raw", others)) if len(kind) == 1}
    which = wanted or ("ema" if "ema" in pairs else "raw" if len(sets) == 1 else "")
    if which not in pairs:
        raise UserError(f"checkpoint {path}: {undecided(sets, wanted, network.title)}")
    taken = pairs[which]
    shapes = shapes_of(network.name)
    if not taken.has_statistics(shapes):
        usable = [one.name for one in (*others, *averages) if one.has_statistics(shapes)]
        raise UserError(f"checkpoint {path}: {unusable(taken, usable, network.title)}")
    return taken, which if wanted or len(sets) > 1 else "only"


def unusable(taken: WeightSet, others: list[str], title: str) -> str:
    """Why a set of all parameters of a network cannot be taken, and what to do."""
    advice = f": choose another set, as in `checkpoint_key: {others[0]}`" if others else f": {COMPLETE}"
    if not taken.weights:
        return (
            f"{taken.name} is a list of tensors without names and batch norm's statistics, and cannot be taken{advice}"
        )
    where = "it" if taken.name == "/" else taken.name
    some = any(key.endswith(STATISTICS) for key in taken.weights)
    return (
        f"{where} has all parameters of a {title}, but {'not all' if some else 'no'} "
        f"running statistics of batch norm (running_mean, running_var), and cannot be taken{advice}"
        + ("" if some else f". A network with GroupNorm has none either, and is not this {title}")
    )


def undecided(sets: list[WeightSet], wanted: str | None, title: str) -> str:
    """Why no set is taken, and how to choose."""
    names = [one.name for one in sets]
    declared = f"checkpoint_key: {wanted} is declared, but " if wanted else ""
    if len(sets) == 1:
        kinds = {"raw": f", {names[0]}, is an average", "ema": f", {names[0]}, is not marked as an average"}
        return f"{declared}its only full set of a {title}'s weights{kinds.get(wanted or '', f' is {names[0]}')}"
    return (
        f"{declared}it has {len(sets)} full sets of a {title}'s weights ({', '.join(names)}), and nothing says which "
        f"one is meant: name it, as in `checkpoint_key: {names[0]}`"
    )


def set_words(which: str) -> str:
    """A taken set in words."""
    return SETS.get(which, f"its weights under {which}")


def largest_mapping(path: Path, content: object) -> dict[str, Any]:
    """Of a file without the network the mapping with the most tensors; UserError if there is none."""
    mappings = [tensors_of(entries) for _, entries, named in containers(content) if named]
    most = max(mappings, key=len, default={})
    if most:
        return most
    if not isinstance(content, dict) or not content:
        raise UserError(f"checkpoint {path}: not a state dict: it holds {type(content).__name__} and no names")
    keys = ", ".join(str(key) for key in list(dict.keys(content))[:4])
    raise UserError(f"checkpoint {path}: not a state dict: under {keys} there is no tensor")
