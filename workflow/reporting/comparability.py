"""The guard of the columns (law 1): two data sets or two ways to measure never share one, and no run counts twice.

Two recipes cannot meet in it: a record of another recipe than the plan's is stale (workflow.reporting.staleness).
"""

from typing import Any, NoReturn

from workflow.core.compare import differing
from workflow.core.errors import UserError
from workflow.core.files import digest
from workflow.registry import PRETRAIN
from workflow.reporting.outcome import FinishedRun, Outcome

OF_THE_BACKBONE = {"network", "preprocessing", "stride", "regularizers"}  # protocol keys that travel with the weights


def check_columns(outcomes: list[Outcome], backbones: dict[str, dict[str, Any]]) -> None:
    """UserError, naming two runs and their differing keys, if records of one task have two data sets or protocols, or
    if two seeds of one cell are one training.

    `backbones` is that section of the config: it says which rows are pretrained here, with which override.
    """
    for task in dict.fromkeys(outcome.task for outcome in outcomes):
        scored = [o for o in outcomes if o.task == task and isinstance(o, FinishedRun) and o.record["metrics"]]
        for outcome in scored[1:]:
            _compare_data(scored[0], outcome)
        for outcome in scored[1:]:  # last: data explain more, what is left another version of this project made
            _compare_protocol(scored[0], outcome, backbones)
            _compare_references(scored[0], outcome)
    _check_seeds(outcomes)


def refuse_repeated(one: Outcome, other: Outcome, what: str) -> NoReturn:
    """UserError: two seeds of a cell are one run, counted twice."""
    raise UserError(f"{one.path} and {other.path} have the same {what}: they are one run under two seeds")


def _check_seeds(outcomes: list[Outcome]) -> None:
    """Two trainings never have the same losses."""
    curves: dict[tuple[str, str, str], Outcome] = {}
    for outcome in outcomes:
        points = outcome.record["history"]["points"] if isinstance(outcome, FinishedRun) else []
        if points:
            first = curves.setdefault((outcome.task, outcome.backbone, digest(points)), outcome)
            if first is not outcome:
                refuse_repeated(first, outcome, "learning curve")


def _compare_data(one: FinishedRun, other: FinishedRun) -> None:
    """Records of other data than the check's are stale; where that is gone, they must still be of the same."""
    trails = one.record["provenance"], other.record["provenance"]
    for key, of in (("data", ""), ("in_distribution", " in distribution")):
        first, second = (str(trail.get(key, "")) for trail in trails)
        if first != second:
            _refuse(one, other, f"data hash{of}: {first[:10]} and {second[:10]}")


def _compare_protocol(one: FinishedRun, other: FinishedRun, backbones: dict[str, dict[str, Any]]) -> None:
    own = OF_THE_BACKBONE
    if one.task == PRETRAIN:
        sizes = [
            {"val_resize_size", "crop_size"} & backbones.get(o.backbone, {}).get("pretrain", {}).keys()
            for o in (one, other)
        ]
        own = {"epoch", "split"} if any(sizes) else {"epoch"}
    keys = differing(one.record["protocol"], other.record["protocol"])
    keys = {key: pair for key, pair in keys.items() if key.split(".")[0] not in own}
    if keys:
        _refuse(one, other, "; ".join(f"protocol.{key}: {a} and {b}" for key, (a, b) in keys.items()))


def _compare_references(one: FinishedRun, other: FinishedRun) -> None:
    """What needs no network is the same for all rows."""
    keys = differing(one.record.get("references", {}), other.record.get("references", {}))
    if keys:
        _refuse(one, other, "; ".join(f"references.{key}: {a} and {b}" for key, (a, b) in keys.items()))


def _refuse(one: Outcome, other: Outcome, found: str) -> NoReturn:
    raise UserError(
        f"{one.task}: the records of {one.backbone} {one.seed_name} and {other.backbone} {other.seed_name} cannot "
        f"stand in one column, they differ in {found} ({one.path}, {other.path}); "
        "run the workflow again to bring them in line"
    )
