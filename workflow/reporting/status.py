"""What became of each job of a plan, while it runs: read from the records, the resume states and their locks. No torch,
and nothing is hashed: a folder of hundreds of runs is read in seconds. The report verifies what it shows."""

import fcntl
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workflow import registry
from workflow.contracts import INDEX
from workflow.core.errors import UserError
from workflow.core.files import lock_file, read_json
from workflow.planning.plan import Plan
from workflow.planning.planned_run import PlannedRun
from workflow.planning.progress import Progress
from workflow.reporting.records import failure
from workflow.reporting.staleness import differences

State = Literal["done", "running", "failed", "stopped", "waiting", "outdated"]
SILENT = 60.0  # seconds without a sign of a training that does not evaluate: more than a step takes


@dataclass(frozen=True)
class Status:
    """What became of a job: `group` is its line of the table, `name` its own in it (`cutmix p0s1`). `detail` is the
    progress of a running one, and the reason of another that is not done or waiting, in one line."""

    group: str
    name: str
    state: State
    detail: str = ""


def statuses(plan: Plan) -> list[Status]:
    """Of all data checks, backbones, shared artifacts and runs of tasks, in the order in which they run."""
    found = list(data_checks(plan))
    starts = {run.weights: _run(run, {}) for run in [*plan.runs, *plan.weights] if run.task == registry.PRETRAIN}
    found += starts.values()
    shared = {folder: name for run in plan.jobs for name, folder in run.shared.items()}
    found += [artifact(run, shared[run.artifact]) for run in plan.artifacts]
    return found + [_run(run, starts) for run in plan.runs if run.task != registry.PRETRAIN]


def data_checks(plan: Plan) -> Iterator[Status]:
    """A check that failed has the reason in its log, also while it is repeated."""
    for name, check in plan.checks.items():
        last = _last_error(Path(check).with_suffix(".check.log"))
        state: State = "done" if Path(check).is_file() else "failed" if last else "waiting"
        yield Status("data", name, state, last if state == "failed" else "")


def _last_error(log: Path) -> str:
    """The last error in a log, in one line; empty without one."""
    try:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    errors = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    return lines[errors[-1]].removeprefix("error: ") if errors else ""


def artifact(run: PlannedRun, group: str) -> Status:
    """A folder that runs share: its index is written last."""
    folder, name = Path(run.artifact), f"{run.backbone} p{run.seeds['pretrain']}"
    if (folder / INDEX).is_file():
        return Status(group, name, "done")
    return Status(group, name, "running" if locked(folder.resolve()) else "waiting")


def _run(run: PlannedRun, starts: Mapping[str, Status]) -> Status:
    """`starts`: the pretrainings of transfer runs, by their weights."""
    state, name = Path(run.state), f"{run.backbone} {run.seed_name}"
    progress = Progress.read(state) or _of_a_rate(state)
    if locked(state):
        return Status(run.task, name, "running", running(progress, time.time()) if progress else "starting")
    if Path(run.record).is_file():
        reason = outdated(run, starts.get(run.weights))
        return Status(run.task, name, "outdated" if reason else "done", reason)
    if reason := failure(state):
        return Status(run.task, name, "failed", reason.removeprefix("UserError: ").removeprefix(f"{run.task} {name}: "))
    if progress:
        return Status(run.task, name, "stopped", f"near iteration {progress.iteration:,} of {progress.iterations:,}")
    return Status(run.task, name, "waiting")


def _of_a_rate(state: Path) -> Progress | None:
    """Of the learning rate that a run tries (workflow/training/lr_sweep.py), before its own training begins."""
    return next((found for folder in state.glob("lr-*") if (found := Progress.read(folder))), None)


def locked(folder: Path) -> bool:
    """Whether a process, also of another machine, works in a folder: a killed one leaves the file, but no lock. To look
    takes the lock for a moment, with others that look; a process that begins in it waits half a second."""
    try:
        with lock_file(folder).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def running(progress: Progress, now: float) -> str:
    """Iteration, speed and time left of a training; what is known of one that says nothing any more."""
    share = 100 * progress.iteration // max(progress.iterations, 1)
    words = [f"{progress.iteration:,}/{progress.iterations:,}", f"{share:3d} %"]
    age = now - progress.time
    if progress.evaluating:
        return "  ".join([*words, "evaluating"])
    if age > SILENT:
        return "  ".join([*words, f"no progress for {duration(age)}"])
    if progress.images_per_second:
        left = max(progress.seconds_left - age, 0.0)
        words += [f"{progress.images_per_second:.3g} images/s", f"ETA {duration(left)}"]
    return "  ".join(words)


def duration(seconds: float) -> str:
    """`1:02:03`, as the lines of a training have it."""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def outdated(run: PlannedRun, start: Status | None) -> str:
    """Why a record is not the plan's, in one line; empty if it is."""
    try:
        found = differences(run)
        if start and start.state == "outdated" and run.origin != "imported":
            found.append(f"the pretraining of its backbone: {start.detail}")
        elif start:
            found += other_backbone(run)
    except UserError as error:
        return str(error)
    except (KeyError, TypeError):
        return f"{run.record}: not a record of this version"
    return "; ".join(found)


def other_backbone(run: PlannedRun) -> list[str]:
    """Whether a run of a task started from another backbone than the one that was published last."""
    made = read_json(run.record, "provenance")["provenance"]["backbone"]
    record = Path(run.weights).with_name(Path(run.record).name)
    if not record.is_file():
        return ["its backbone is missing"]
    files: dict[str, Any] = read_json(record, "files")["files"]
    now = files[Path(run.weights).name]
    return [] if made == now else [f"backbone {str(made)[:10]}, now {now[:10]}"]
