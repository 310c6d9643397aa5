"""Which tracker shows the curves of trainings while they run: none, or the one of `resources.tracking` or of the
environment. No result depends on it. No torch: planning must be quick."""

import importlib.util
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from workflow.core.errors import UserError
from workflow.planning.planned_run import PlannedRun

VARIABLE = "BACKBONE_TRANSFER_TRACKING"  # in the environment: counts before the key
NONE = "none"
TRACKERS = ("tensorboard", "wandb", "mlflow")  # each the name of a package too


def tracker(config: Mapping[str, Any]) -> str:
    """The tracker that a checked config or the environment names."""
    return os.environ.get(VARIABLE) or config["resources"].get("tracking", NONE)


def refuse_missing(name: str) -> None:
    """UserError for a tracker that there is not, or that is not installed."""
    if name not in (NONE, *TRACKERS):
        raise UserError(f"{VARIABLE}: must be {' or '.join((NONE, *TRACKERS))}, not {name!r:.60}")
    if name != NONE and not getattr(importlib.util.find_spec(name), "origin", None):  # a folder of results has none
        where = VARIABLE if os.environ.get(VARIABLE) else "resources.tracking"
        raise UserError(f"{where}: {name} is not installed; install it with: python -m pip install {name}")


def with_tracking(config: Mapping[str, Any], run: PlannedRun) -> PlannedRun:
    """A run with what its training gets to know, if it is one: `tracker`, `folder` of all runs of the experiment, and
    `name` of this run, which is its path below the folder."""
    if (name := tracker(config)) == NONE or "eval_interval" not in run.run["recipe"]:
        return run
    folder, run_name = f"results/{config['experiment']}/tracking", f"{run.task}/{run.backbone}/{run.seed_name}"
    return replace(run, tracking={"tracker": name, "folder": folder, "name": run_name})
