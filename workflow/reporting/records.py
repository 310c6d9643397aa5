"""What became of each planned run: its record, or the reason why there is none (design: Contracts, Record)."""

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

from workflow import registry
from workflow.contracts import Task
from workflow.core.errors import UserError
from workflow.core.files import digest
from workflow.core.formatting import plain
from workflow.planning.plan import Plan
from workflow.planning.planned_run import PlannedRun
from workflow.reporting import verification
from workflow.reporting.outcome import FinishedRun, Outcome, Record
from workflow.reporting.staleness import differences, other_backbone, published

WHEN = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d ")  # error.txt starts with the time of the failure


def read(plan: Plan) -> list[Outcome]:
    """The outcomes of the runs of `plan`, ordered by task, backbone and seeds.

    UserError if a file that is there is not what it should be.
    """
    tasks = instances(plan)
    pretraining, transfers = (
        [run for run in plan.runs if (run.task == registry.PRETRAIN) == first] for first in (True, False)
    )
    pretrained = {str(run.weights): _outcome(run, tasks) for run in pretraining}
    # Hashed once, and only where a record has to be compared with it.
    hashed = functools.cache(lambda weights: published(weights, pretrained.get(weights)))
    outcomes = [_outcome(run, tasks, pretrained.get(str(run.weights)), hashed) for run in transfers]
    return sorted([*pretrained.values(), *outcomes], key=lambda o: (o.task, o.backbone, sorted(o.seeds.items())))


def instances(plan: Plan) -> dict[str, Task]:
    """Each column's task: the instances of a plan, pretraining first, to their types."""
    names = [registry.PRETRAIN, *(name for name in plan.tasks if name != registry.PRETRAIN)]
    return {name: registry.task_of(plan.config, name) for name in names}


def _outcome(
    run: PlannedRun,
    tasks: Mapping[str, Task],
    start: Outcome | None = None,
    hashed: Callable[[str], str | None] | None = None,
) -> Outcome:
    """`start`: the pretraining of a transfer run; `hashed` gives the hash of a published backbone."""
    path, state = Path(run.record), Path(run.state)
    task = tasks[run.task]
    common: dict[str, Any] = {"task": run.task, "declaration": task, "backbone": run.backbone, "seeds": dict(run.seeds)}
    common |= {"path": path, "stored": run.stored}
    outcome = functools.partial(Outcome, **common)
    content = verification.read(path)
    if content is not None:
        if not verification.check_own_hash(path, content):
            return outcome(status="stale", reason="it has no hashes, as records of before; remove its folder")
        record, config = _checked(path, content, run, task)
        verification.check_files(path, content)
        differs = differences(run)
        if hashed:
            differs += other_backbone(run, record, start, hashed(str(run.weights)))
        if differs:
            return outcome(status="stale", reason=_line("; ".join(differs)))
        return FinishedRun(**common, record=record, config=config)
    if reason := failure(state):
        return outcome(status="failed", reason=reason)
    return outcome(status="pending", reason="started, not finished" if state.is_dir() else run.refused)


def _line(text: str) -> str:
    """One printable line: a reason ends up on terminals."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def failure(state: Path) -> str:
    """Why the last attempt of a run failed, in one line; empty if it did not."""
    try:
        error = (state / "error.txt").read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return WHEN.sub("", _line(error)) or "no reason given"


def _checked(path: Path, record: dict[str, Any], run: PlannedRun, task: Task) -> tuple[Record, dict[str, Any]]:
    """A record, which has all its keys, each of its type, and is of the run that belongs there, and so is its
    config.json."""
    config = verification.read(path.with_name("config.json"))
    if config is None:
        raise UserError(f"{path.with_name('config.json')} is missing: every record has one beside it")
    for file, content in ((path, record), (path.with_name("config.json"), config)):
        for key in ("task", "backbone", "seeds"):
            if content.get(key) != getattr(run, key):
                raise UserError(
                    f"{file}: {key} is {plain(content.get(key))!r} where {plain(getattr(run, key))!r} belongs"
                )
    verification.check_types(path, record, config, run.task, task)
    if record["provenance"].get("recipe") != digest(config.get("recipe")):
        raise UserError(f"{path.with_name('config.json')}: its recipe is not the one that {path.name} has the hash of")
    return cast("Record", record), config  # checked here: the one place where JSON becomes a Record
