"""A run that is resumed by other code, libraries or on another machine says so; what it ran with before is kept."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch

from tests.pretrain.test_train import run_of
from tests.waiting import PATIENCE
from tests.workflow.training import test_engine as engine
from workflow.core import code_hash
from workflow.core.files import read_json
from workflow.training import machine as machines
from workflow.training.resume import attempts, checkpointing

LIBRARIES = {"torch": "2.1", "numpy": "2.0"}


@pytest.fixture(autouse=True)
def clean():
    yield
    attempts.begin({})


def resumed(tmp_path):
    """A first attempt that was killed after a state, and the begin of a second one."""
    attempts.begin(LIBRARIES, tmp_path)
    attempts.keep(tmp_path)
    attempts.begin(LIBRARIES, tmp_path)


def test_the_same_is_nothing_to_say(tmp_path):
    resumed(tmp_path)
    assert attempts.resumed_with(attempts.ran_with()) == []
    assert attempts.as_recorded(attempts.ran_with())["code_files"] == code_hash.hashes()


def test_other_code_libraries_and_machines_are_named(tmp_path, monkeypatch):
    resumed(tmp_path)
    real, here = code_hash.hashes, machines.machine(torch.get_num_threads())
    monkeypatch.setattr(code_hash, "hashes", lambda: real() | {"workflow/core/rng.py": "another"})
    monkeypatch.setattr(attempts, "machine", lambda threads: replace(here, cpu="another CPU"))
    attempts.begin(LIBRARIES | {"torch": "2.2"}, tmp_path)
    found = attempts.ran_with()
    assert attempts.resumed_with(found) == [
        "workflow/core/rng.py was edited before the run was resumed",
        "torch was another version before the run was resumed: 2.1",
        f"cpu was another before the run was resumed: {here.cpu}",
    ]
    recorded = attempts.as_recorded(found)
    assert recorded["code_files"]["workflow/core/rng.py"] == [real()["workflow/core/rng.py"], "another"]
    assert recorded["libraries"]["torch"] == "2.2"
    attempts.keep(tmp_path)
    monkeypatch.undo()
    attempts.begin(LIBRARIES, tmp_path)
    assert len(attempts.resumed_with(attempts.ran_with())) == 3, "it stays known in a third attempt"


def test_a_module_of_an_earlier_attempt_counts(tmp_path):
    """One that was killed in its last evaluation is resumed by a process that may import less."""
    resumed(tmp_path)
    kept = json.loads((tmp_path / attempts.FILE).read_text())
    kept["code"]["captioning/jvm.py"] = ["as it was"]
    (tmp_path / attempts.FILE).write_text(json.dumps(kept))
    attempts.begin(LIBRARIES, tmp_path)
    assert attempts.as_recorded(attempts.ran_with())["code_files"].keys() >= {"captioning/jvm.py"}


def test_a_state_is_kept_with_what_it_was_made_by_and_whoever_resumes_it_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    folder, of, real = tmp_path / "state", {"data": "d", "libraries": LIBRARIES}, code_hash.hashes
    run = engine.run_of()
    with contextlib.suppress(engine.Killed), checkpointing.run_context(folder, tmp_path, of):
        engine.die_after(3, run, folder)
        raise engine.Killed
    monkeypatch.setattr(code_hash, "hashes", lambda: real() | {"workflow/core/rng.py": "edited"})
    with (
        contextlib.suppress(engine.Killed),
        checkpointing.run_context(folder, tmp_path, of | {"libraries": {"torch": "2.2"}}),
    ):
        assert attempts.resumed_with(attempts.ran_with()) == [
            "workflow/core/rng.py was edited before the run was resumed",
            "torch was another version before the run was resumed: 2.1",
        ]
        raise engine.Killed


def test_a_broken_note_is_said(tmp_path, capsys):
    (tmp_path / attempts.FILE).write_text("{")
    attempts.begin(LIBRARIES, tmp_path)
    assert "what this run has run with before is not known" in capsys.readouterr().out


@pytest.mark.slow
def test_code_that_is_edited_while_a_run_trains_is_said_and_does_not_vouch(imagenet, tmp_path):
    """As `git pull` does it, in a copy of the project."""
    for name in ("workflow", "backbones", "pretrain", "tests"):
        shutil.copytree(code_hash.PROJECT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    words = [
        "--run-spec",
        json.dumps(run_of().as_dict()),
        "--dataset-info",
        imagenet.check,
        "--checkpoint-dir",
        "state",
        "--out",
        "out",
    ]
    with subprocess.Popen([sys.executable, "-m", "pretrain", "train", *map(str, words)], cwd=tmp_path, text=True,
                          stdout=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(tmp_path)}) as job:  # fmt: skip
        end = time.monotonic() + PATIENCE
        while not (tmp_path / "state/log").exists() and time.monotonic() < end:
            time.sleep(0.01)
        model = tmp_path / "pretrain/model.py"
        model.write_text(model.read_text() + "\nMORE = 1\n")
        said = job.communicate()[0]
    assert job.returncode == 0, said
    trail, line = read_json(tmp_path / "out/metrics.json")["provenance"], "pretrain/model.py has been edited since"
    assert trail["changed"] == [f"{line} it was loaded"]
    assert line in said
    assert trail["code_files"]["pretrain/model.py"] == code_hash.now(code_hash.PROJECT / "pretrain/model.py")
    assert not [name for name in trail["code_files"] if name.startswith("tests/") or name.endswith("/cost.py")]
