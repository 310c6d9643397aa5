"""The recipe guard (law 1): two recipes, two data sets, or two ways to measure never share a column.

Pretraining is where rows may differ: in their regularizers, and in an override of their own, which the table shows.
"""

from typing import Any

from workflow.reporting.records import Outcome
from workflow.training.errors import UserError
from workflow.training.files import digest

NOTHING = "absent"
OF_THE_BACKBONE = {"preprocessing", "stride"}  # keys of a protocol that travel with the weights


def flat(content: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested mappings as one: {"a": {"b": 1}} to {"a.b": 1}."""
    result: dict[str, Any] = {}
    for key, value in content.items():
        inner = isinstance(value, dict) and value
        result |= flat(value, f"{prefix}{key}.") if inner else {f"{prefix}{key}": value}
    return result


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    """The dotted keys on which two mappings differ, with both values, sorted."""
    a, b = flat(one), flat(other)
    pairs = {key: (a.get(key, NOTHING), b.get(key, NOTHING)) for key in sorted({*a, *b})}
    return {key: pair for key, pair in pairs.items() if not equal(*pair)}


def equal(one: Any, other: Any) -> bool:
    """Whether two config values say the same: 1 and 1.0 do, 1 and true do not."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple) and isinstance(other, list | tuple):
        return len(one) == len(other) and all(map(equal, one, other))
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def check_columns(outcomes: list[Outcome], backbones: dict[str, dict[str, Any]]) -> None:
    """UserError, naming two runs and their differing keys, if records of one task have two recipes, data sets
    or protocols.

    `backbones` is that section of the config: it says which rows are pretrained here, with which override.
    """
    for task in dict.fromkeys(outcome.task for outcome in outcomes):
        scored = done = [o for o in outcomes if o.task == task and o.record and o.record["metrics"]]
        for outcome in scored[1:]:
            _compare_data(scored[0], outcome)
        if task == "pretrain":  # a brought backbone has a score, but no pretraining recipe to compare
            done = [o for o in done if "checkpoint" not in backbones.get(o.backbone, {})]
        for outcome in done[1:]:
            _compare_recipe(done[0], outcome, backbones)
        for outcome in scored[1:]:  # last: a recipe explains more, what is left another version of this project made
            _compare_protocol(scored[0], outcome, backbones)


def _compare_data(one: Outcome, other: Outcome) -> None:
    hashes = one.record["provenance"]["data"], other.record["provenance"]["data"]
    if hashes[0] != hashes[1]:
        _refuse(one, other, "data", _sections(one, other, "data"), hashes)


def _compare_recipe(one: Outcome, other: Outcome, backbones: dict[str, dict[str, Any]]) -> None:
    hashes = one.record["provenance"]["recipe"], other.record["provenance"]["recipe"]
    if hashes[0] == hashes[1]:
        return
    keys = _sections(one, other, "recipe")
    if not keys and hashes == tuple(digest(outcome.config["recipe"]) for outcome in (one, other)):
        return  # one recipe, written in two ways: 1 and 1.0
    if one.task == "pretrain" and keys:
        overrides = [backbones.get(o.backbone, {}).get("pretrain", {}) for o in (one, other)]
        own = {"regularizers", *overrides[0], *overrides[1]}
        keys = {key: pair for key, pair in keys.items() if key.split(".")[0] not in own}
        if not keys:
            return
    _refuse(one, other, "recipe", keys, hashes)


def _compare_protocol(one: Outcome, other: Outcome, backbones: dict[str, dict[str, Any]]) -> None:
    own = OF_THE_BACKBONE
    if one.task == "pretrain":
        sizes = [{"resize", "size"} & backbones.get(o.backbone, {}).get("pretrain", {}).keys() for o in (one, other)]
        own = {"epoch", "split"} if any(sizes) else {"epoch"}
    keys = differing(one.record["protocol"], other.record["protocol"])
    keys = {key: pair for key, pair in keys.items() if key.split(".")[0] not in own}
    if keys:
        _refuse(one, other, "protocol", keys)


def _sections(one: Outcome, other: Outcome, section: str) -> dict[str, tuple[Any, Any]]:
    for outcome in (one, other):
        if outcome.config is None:
            raise UserError(f"{outcome.path.with_name('config.json')} is missing: every record has one beside it")
    return differing(one.config[section], other.config[section])


def _refuse(one: Outcome, other: Outcome, what: str, keys: dict[str, tuple], hashes: tuple = ()) -> None:
    if keys:
        found = "; ".join(f"{what}.{key}: {a} and {b}" for key, (a, b) in keys.items())
    else:
        found = f"{what} hash: {hashes[0][:10]} and {hashes[1][:10]}"
    raise UserError(
        f"{one.task}: the records of {one.backbone} {one.seed_name} and {other.backbone} {other.seed_name} cannot "
        f"stand in one column, they differ in {found} ({one.path}, {other.path}); "
        "run the workflow again to bring them in line"
    )
