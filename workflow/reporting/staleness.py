"""Why a record is not the plan's: it is of another recipe, of other data or of another backbone (law 8)."""

from pathlib import Path

from workflow.core.files import sha256
from workflow.core.formatting import plain
from workflow.planning.planned_run import PlannedRun
from workflow.planning.rerun import changes
from workflow.reporting.outcome import FinishedRun, Outcome, Record


def differences(run: PlannedRun) -> list[str]:
    """What of recipe and data is another than the plan's, e.g. `recipe.lr 0.006, now 0.6`; empty if nothing is."""
    return [f"{key} {plain(before)}, now {plain(now)}" for key, (before, now) in changes(run).items()]


def other_backbone(run: PlannedRun, record: Record, start: Outcome | None, published: str | None) -> list[str]:
    """Whether a transfer run started from another backbone than the plan's: the one `published` there, if it is still
    the plan's. `start`: the outcome of its own run; if that is stale, what it published is too, but for an imported
    file, which is what it is on any data."""
    if run.origin != "imported" and start and start.status == "stale":
        return [f"the pretraining of its backbone: {start.reason}"]
    made = record["provenance"].get("backbone")
    if made and made == published:
        return []
    return [f"backbone {str(made)[:10]}, now {published[:10] if published else 'none'}"]


def published(weights: str, start: Outcome | None) -> str | None:
    """The hash of a backbone: as the record of its own run has it, with which what lies there was compared (records are
    kept where weights are not); without one of the plan's, of the file itself. None if neither is there."""
    path = Path(weights)
    if isinstance(start, FinishedRun):
        return start.record["files"].get(path.name)
    return sha256(path) if path.is_file() else None
