"""What is a reason for Snakemake to run a job again, and what is none."""

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from workflow.contracts import INDEX
from workflow.core.compare import differing
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import RECORD, read_json, sha256


class Planned(Protocol):
    """What these functions ask of a workflow.planning.planned_run.PlannedRun, which asks them."""

    @property
    def record(self) -> str: ...

    @property
    def weights(self) -> str: ...

    @property
    def check(self) -> str: ...

    @property
    def in_distribution(self) -> str: ...

    @property
    def origin(self) -> str: ...

    @property
    def artifact(self) -> str: ...

    @property
    def compared(self) -> dict[str, Any]: ...


def ancient_if_exists(ancient: Callable[[str], str], *made: str) -> Callable[[str], str]:
    """`ancient` where all of `made` is there. Where an ancient input is made again, Snakemake does not see that what
    hangs on it is missing, and ends as if all were done (its issue 4166)."""
    return unless(not all(Path(file).exists() for file in made), ancient)


def unless(due: bool, ancient: Callable[[str], str]) -> Callable[[str], str]:
    """`ancient` for the inputs of a job that is not due."""
    return (lambda file: file) if due else ancient


def is_outdated(run: Planned) -> bool:
    """Whether a run is missing, or of a recipe, data or a backbone that have changed since. Snakemake would see none of
    these where an ancient input is made again, as changed data make the vocabulary."""
    with contextlib.suppress(UserError, KeyError, TypeError):  # of a record that is broken
        return bool(changes(run)) or replaced(run)
    return True


def changes(run: Planned) -> dict[str, tuple[Any, Any]]:
    """Where a finished run is not the planned one: dotted key to (its value, the plan's). `data` is the data's hash.

    UserError if a file of the run is not what it should be.
    """
    made = read_json(Path(run.record).with_name("config.json"), *run.compared)
    found = differing({key: made[key] for key in run.compared}, run.compared)
    before, now = recorded_data_hash(run), fingerprint(run)
    found |= {} if before == now else {"data": (str(before)[:10], str(now)[:10])}
    if run.in_distribution and Path(run.in_distribution).exists():
        before, now = recorded_data_hash(run, "in_distribution"), DatasetInfo.read(run.in_distribution).fingerprint
        found |= {} if before == now else {"in_distribution": (before[:10], now[:10])}
    return found


def replaced(run: Planned) -> bool:
    """Whether the backbone of a finished run that starts from it was written anew since, with another content. Of one
    that is pretrained Snakemake sees it; what is imported or random is an ancient input."""
    weights, record = Path(run.weights), Path(run.record)
    publishes = weights.parent == record.parent
    if publishes or run.origin == "pretrained" or not weights.is_file():
        return False
    if weights.stat().st_mtime <= record.stat().st_mtime:
        return False
    return sha256(weights) != read_json(record, "provenance")["provenance"]["backbone"]


def same_backbone(run: Planned, file: str) -> bool:
    """Whether a backbone, or a folder made of it, that is newer than what a run left is nevertheless what the run was
    made of: files that were copied from another machine can have any times."""
    made, weights = Path(run.artifact, INDEX) if run.artifact else Path(run.record), Path(run.weights)
    with contextlib.suppress(UserError, OSError, KeyError, TypeError, ValueError):  # of what is missing or broken
        oldest = min(path.stat().st_mtime for path in made.parent.iterdir() if path.suffix != ".txt")
        if Path(file).stat().st_mtime <= oldest:
            return False
        start = read_json(made) if run.artifact else read_json(made)["provenance"]
        published = read_json(weights.with_name(RECORD))["files"][weights.name]
        folder = published if file == run.weights else read_json(file)["backbone"]
        return bool(start["backbone"] == published == folder)
    return False


def fingerprint(run: Planned, shared: str = "") -> str | None:
    """The data's hash as last checked; where the check is gone, the one that what runs share (a folder) or else the
    finished run was made with."""
    if Path(run.check).exists():
        return DatasetInfo.read(run.check).fingerprint
    if shared and (index := Path(shared) / INDEX).is_file():
        return read_json(index, "data")["data"]
    return recorded_data_hash(run) if Path(run.record).is_file() else None


def recorded_data_hash(run: Planned, data: str = "data") -> str:
    """The hash of its data, or of other `data`, that a finished run was made with."""
    return read_json(run.record, "provenance")["provenance"][data]
