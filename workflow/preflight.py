"""Before any job: a brought file that is no ResNet-50 must not be found out after hours of other rows' training."""

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def look_over(runs: Iterable[Any]) -> None:
    """End the process with a line if a brought file, of those not yet published, cannot become a backbone.

    Runs are workflow.plan.PlannedRun. A process of its own, because planning does without torch.
    """
    brought = [run for run in runs if run.task == "pretrain" and run.origin == "brought"]
    recipes = [run.run["recipe"] for run in brought if not Path(run.weights).exists()]
    call = [sys.executable, "-m", "pretrain.preflight", "--recipes", json.dumps(recipes)]
    if recipes and subprocess.run(call, check=False).returncode:
        raise SystemExit(1)
