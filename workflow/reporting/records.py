"""What became of each planned run: its record, or the reason why there is none (design: Contracts, Record)."""

import functools
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workflow import registry
from workflow.contracts import Task
from workflow.core.errors import UserError
from workflow.core.files import digest
from workflow.core.formatting import plain
from workflow.reporting import verification
from workflow.reporting.staleness import differences, other_backbone, published

WHEN = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d ")  # error.txt starts with the time of the failure


@dataclass(frozen=True)
class Outcome:
    """One planned run of the column `task`, which is as `declaration` says. `record` and `config` (the resolved config
    beside it) are None unless `status` is done: a record that is not the plan's is stale, and nobody gets to see its
    numbers.

    `reason` says in a few words why there is no record; it is empty where there is one.
    """

    task: str
    declaration: Task
    backbone: str
    seeds: dict[str, int]
    path: Path
    status: Literal["done", "stale", "failed", "pending"]
    reason: str = ""
    record: dict[str, Any] | None = None
    config: dict[str, Any] | None = None

    @property
    def seed_name(self) -> str:
        """As in the paths: `p0` for pretraining, `p0s1` for a transfer."""
        transfer = f"s{self.seeds['transfer']}" if "transfer" in self.seeds else ""
        return f"p{self.seeds['pretrain']}{transfer}"

    @property
    def name(self) -> str:
        """For messages: `ssd_voc cutmix p0s1`."""
        return f"{self.task} {self.backbone} {self.seed_name}"

    @property
    def why(self) -> str:
        """Why there is no record, e.g. `failed: out of memory`, `stale: recipe.lr 0.006, now 0.6` or `pending`."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


def read(plan: Any) -> list[Outcome]:
    """The outcomes of the runs of `plan` (workflow.planning.plan.Plan), ordered by task, backbone and seeds.

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


def instances(plan: Any) -> dict[str, Task]:
    """Each column's task: the instances of a plan, pretraining first, to their types."""
    names = [registry.PRETRAIN, *(name for name in plan.tasks if name != registry.PRETRAIN)]
    return {name: registry.task_of(plan.config, name) for name in names}


def _outcome(
    run: Any,
    tasks: Mapping[str, Task],
    start: Outcome | None = None,
    hashed: Callable[[str], str | None] | None = None,
) -> Outcome:
    """`start`: the pretraining of a transfer run; `hashed` gives the hash of a published backbone."""
    path, state = Path(run.record), Path(run.state)
    task = tasks[run.task]
    about = {"task": run.task, "declaration": task, "backbone": run.backbone, "seeds": dict(run.seeds), "path": path}
    record = verification.read(path)
    if record is not None:
        if not verification.check_own_hash(path, record):
            return Outcome(**about, status="stale", reason="it has no hashes, as records of before; remove its folder")
        config = verification.read(path.with_name("config.json"))
        _check(path, record, config, run, task)
        verification.check_files(path, record)
        differs = differences(run)
        if hashed:
            differs += other_backbone(run, record, start, hashed(str(run.weights)))
        if differs:
            return Outcome(**about, status="stale", reason=_line("; ".join(differs)))
        return Outcome(**about, status="done", record=record, config=config)
    error = _text(state / "error.txt")
    if error is not None:
        return Outcome(**about, status="failed", reason=WHEN.sub("", _line(error)) or "no reason given")
    return Outcome(**about, status="pending", reason="started, not finished" if state.is_dir() else "")


def _line(text: str) -> str:
    """One printable line: a reason ends up on terminals."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _check(path: Path, record: dict[str, Any], config: dict[str, Any] | None, run: Any, task: Task) -> None:
    """A record has all its keys, each of its type, and is of the run that belongs there, and so is its config.json."""
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
