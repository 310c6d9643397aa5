"""Before any job: what would else be found out after hours of other rows' training. A brought file that is no
ResNet-50, a vocabulary without a word, a folder that cannot be written into."""

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow.enough import words


def look_over(runs: Iterable[Any]) -> None:
    """End the process with a line if what is planned and not yet done cannot be. Runs are workflow.plan.PlannedRun."""
    todo = [run for run in runs if not Path(run.record).exists()]
    folders = {folder for run in todo for folder in (run.record, run.state, run.weights, run.features) if folder}
    for folder in sorted(folders):
        if reason := unwritable(Path(folder).parent):
            print(f"error: {reason}", file=sys.stderr, flush=True)
            raise SystemExit(1)
    learnt = {(run.check, run.run["recipe"]["threshold"]) for run in todo if run.task == "nic_coco"}
    if not all(words(check, threshold) for check, threshold in learnt if Path(check).exists()):
        raise SystemExit(1)
    look_at_files(runs)


def unwritable(folder: Path) -> str | None:
    """Why nothing can be written into a folder, which need not be there; None if it can."""
    there = next(place for place in (folder, *folder.parents) if os.path.lexists(place))
    if not there.is_dir():
        return f"{there}: not a folder, and {folder} is to be written"
    return None if os.access(there, os.W_OK | os.X_OK) else f"{there}: not writable, and {folder} is to be written"


def look_at_files(runs: Iterable[Any]) -> None:
    """Brought files that are not yet published. A process of its own, because planning does without torch."""
    brought = [run for run in runs if run.task == "pretrain" and run.origin == "brought"]
    recipes = [run.run["recipe"] for run in brought if not Path(run.weights).exists()]
    call = [sys.executable, "-m", "pretrain.preflight", "--recipes", json.dumps(recipes)]
    if recipes and subprocess.run(call, check=False).returncode:
        raise SystemExit(1)
