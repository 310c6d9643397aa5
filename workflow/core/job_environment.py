"""What every job of the workflow begins with: this Python, this code, and a shell that outlives a training."""

import os
import sys
from pathlib import Path

# Before every rule's command: `… | keep LOG` shows and appends what a job says. Schedulers signal all of a job's
# processes; the shell and its log outlive the training, which has to write its state first.
SHELL = "set -euo pipefail; trap : INT TERM; keep() { trap '' INT TERM; exec tee -a \"$1\"; }; "


def usable_cores() -> int:
    """How many cores this process may use: on Linux a batch system allows some of the machine's."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def prepare_jobs(house: str | Path) -> None:
    """Let every job run this Python on the code in `house`, from any --directory and on any node, and speak at once."""
    os.environ["PYTHONUNBUFFERED"] = "1"
    os.environ["PIP_NO_DEPS"] = "1"  # --sdm conda: environment.yml is complete, as requirements.lock is
    for key, first in {"PATH": Path(sys.executable).parent, "PYTHONPATH": house}.items():
        os.environ[key] = os.pathsep.join(filter(None, [str(first), os.environ.get(key)]))
    from snakemake.shell import shell

    shell.prefix(SHELL.replace("{", "{{").replace("}", "}}"))
