"""A training by two processes, as a rule starts it. `python -m tests.together DOOR …` saves before each step."""

import dataclasses
import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

from workflow.core.files import read_json
from workflow.planning.run_spec import RunSpec

PROJECT = Path(__file__).parent.parent


def begin(door: list[str], run: RunSpec, out: Path, state: Path, **paths: Path) -> subprocess.Popen:
    """Start it, in a group of its own."""
    call = [sys.executable, "-m", "workflow.training.distributed.launch", *door]
    call += [
        "--run-spec",
        json.dumps(dataclasses.replace(run, gpus=2).as_dict()),
        "--out",
        str(out),
        "--checkpoint-dir",
        str(state),
    ]
    call += [str(word) for name, path in paths.items() for word in (f"--{name}", path)]
    return subprocess.Popen(call, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            start_new_session=True, env=os.environ | {"PYTHONUNBUFFERED": "1"})  # fmt: skip


def trained(room: str, run: RunSpec, folder: Path, **paths: Path) -> dict:
    """The record that two processes leave in `folder`/out."""
    with begin([room, "train"], run, folder / "out", folder / "state", **paths) as job:
        said = job.communicate(timeout=600)[0]
    assert job.returncode == 0, said
    assert not (folder / "state").exists()
    record = read_json(folder / "out/metrics.json")
    assert record["provenance"]["processes"] == 2
    return record


def losses(record: dict) -> list[float]:
    """The curve."""
    return [point["loss"] for point in record["history"]["points"]]


if __name__ == "__main__":
    from workflow.training.resume import checkpointing

    checkpointing.SECONDS_BETWEEN_SAVES = 0
    del sys.argv[0]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
