"""A full or a missing /dev/shm is told as what it is: with the real thing, in a mount namespace of the test's own."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.core import shared_memory

PROJECT = Path(__file__).parents[3]
FULL = "mount -t tmpfs -o size=64k tmpfs /dev/shm"
GONE = "mount -t tmpfs -o ro tmpfs /dev/shm"
TRAIN = """
import sys
from dataclasses import replace
from pathlib import Path
import torch
from workflow.core.errors import cli_entry_point
from tests.workflow.training.test_engine import Points, fit, run_of, task
Points.__getitem__ = lambda self, index: {"x": torch.ones(3), "y": torch.ones(1), "z": torch.ones(300000)}

@cli_entry_point
def main():
    run = replace(run_of(), workers=1)
    fit(run, task(run), 20, Path(sys.argv[1]))

main()
"""


@pytest.fixture
def inside():
    """inside(mount, *call): a process in a namespace where /dev/shm is another."""
    unshare = ["unshare", "--mount", "sh", "-c"]
    if not shutil.which("unshare") or subprocess.run([*unshare, FULL], check=False, capture_output=True).returncode:
        pytest.skip("another /dev/shm needs the right to mount one")

    def call(mount, *words):
        script = [*unshare, f'{mount} && exec "$@"', "sh", *words]
        return subprocess.run(script, cwd=PROJECT, capture_output=True, text=True, check=False, timeout=300)

    return call


@pytest.mark.parametrize(
    ("mount", "said"),
    [(FULL, "/dev/shm is full, over which processes hand over what they have loaded: it has 0.1 MB"),
     (GONE, "/dev/shm is missing or cannot be written, and processes that load images need it")],
)  # fmt: skip
def test_a_training_names_cause_and_cure(mount, said, inside, tmp_path):
    done = inside(mount, sys.executable, "-c", TRAIN, str(tmp_path))
    assert done.returncode == 1
    lines = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    cure = "a container gets more by --shm-size=8g, and `workers: 0` does without it"
    then = ". The same command goes on where it was" if mount == FULL else ""
    assert lines == [f"error: ssd_voc cutmix p0s1: {said}; {cure}{then}"]
    assert "Traceback (most recent call last)" not in done.stderr.partition("error: ")[2]


def test_a_data_check_does_not_blame_the_data(inside, imagenet, tmp_path):
    call = [
        "-m",
        "workflow.data.imagenet",
        "--dataset-config",
        json.dumps(imagenet.section),
        "--root",
        str(imagenet.root),
    ]
    done = inside(GONE, sys.executable, *call, "--out", str(tmp_path / "x.json"))
    assert done.returncode == 1
    said = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert len(said) == 1
    assert "/dev/shm is missing or cannot be written" in said[0]
    assert str(imagenet.root) not in said[0]


@pytest.mark.parametrize(
    ("error", "is_it"),
    [
        (RuntimeError("unable to write to file </torch_7_1_0>: No space left on device (28)"), True),
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_7>: Resource unavailable (11)"), True),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Bus error. It is possible that"), True),
        (RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. "), False),
        (OSError(28, "No space left on device", "x.pth"), False),
        (RuntimeError("PytorchStreamWriter failed writing file data/0: file write failed"), False),
    ],
)
def test_what_torch_says_of_it_is_known(error, is_it):
    assert bool(shared_memory.fault(error)) == is_it


@pytest.mark.parametrize(("module", "is_it"), [("synchronize", True), ("connection", False)])
def test_a_semaphore_of_multiprocessing_lies_there_too(module, is_it):
    """What fails is known by where it fails: the error names no file."""
    code = compile("raise OSError(28, 'No space left on device')", f"/lib/multiprocessing/{module}.py", "exec")
    with pytest.raises(OSError, match="No space") as error:
        exec(code)
    assert bool(shared_memory.fault(error.value)) == is_it
