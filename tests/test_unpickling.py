"""No call anywhere, ours or a library's, unpickles a file freely: whole runs are watched from within each process."""

import json
import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from tests.bad.brought import Call
from tests.conftest import PROJECT
from tests.test_dag import DEMO, DRAWN, TINY
from tests.unpickling import free
from workflow.config import overlay
from workflow.plan import plan
from workflow.training.files import sha256


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Processes that are started from here on are watched; gives the file of what they have unpickled."""
    folder = tmp_path / "watching"
    folder.mkdir()
    shutil.copy(PROJECT / "tests/unpickling.py", folder / "sitecustomize.py")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{PROJECT}")
    monkeypatch.setenv("UNPICKLED", str(folder / "unpickled"))
    (folder / "unpickled").touch()
    return folder / "unpickled"


CALLS = {
    "pickle": "import pickle; pickle.load(open('x.pkl', 'rb'))",
    "plain": "import pickle; pickle.loads(pickle.dumps([1]))",
    "numpy": "import numpy; numpy.load('x.npy', allow_pickle=True)",
    "torch": "import torch; torch.load('x.pth', weights_only=False)",
    "mmengine": "from mmengine.runner import load_checkpoint; import torch; "
    "load_checkpoint(torch.nn.Linear(1, 1), 'x.pth')",
    "yaml": "import yaml; yaml.load('1', Loader=yaml.UnsafeLoader)",
}


@pytest.mark.parametrize("call", CALLS)
def test_the_watch_sees_each_way(call, watched, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    trap = Call(os.mkdir, "ran")
    Path("x.pkl").write_bytes(pickle.dumps(trap))
    np.save("x.npy", np.array([trap], dtype=object), allow_pickle=True)
    torch.save({"state_dict": {}, "x": trap}, "x.pth")
    subprocess.run([sys.executable, "-c", CALLS[call]], check=False, capture_output=True)
    assert free(watched.read_text())
    assert Path("ran").exists() == (call not in ("plain", "yaml"))


def test_a_resumed_training_unpickles_nothing_freely(watched, tmp_path):
    """In a process of its own, with processes that load its data."""
    code = """
import sys, torch, pytest
from pathlib import Path
from tests.workflow.training.test_engine import die_after, fit, run_of, task
from workflow.training import state
from dataclasses import replace
state.SECONDS_BETWEEN_SAVES = 0
run, folder = replace(run_of(), workers=2), Path(sys.argv[1])
die_after(7, run, folder, pytest.MonkeyPatch())
fit(run, task(run), 20, folder)
"""
    call = [sys.executable, "-c", code, str(tmp_path / "state")]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    assert "resumed at iteration 7 of 12" in done.stdout
    assert free(watched.read_text()) == []
    assert "multiprocessing" in watched.read_text(), "what its own processes hand over is seen"


@pytest.mark.slow
def test_a_whole_dag_unpickles_nothing_freely(watched, snakemake, tmp_path, monkeypatch):
    """With a pickle in the place of every state, named as states are."""
    monkeypatch.chdir(tmp_path)
    torch.manual_seed(0)
    from tests.test_security import weights

    torch.save({"state_dict": weights()}, "mine.pth")
    config = overlay(DEMO, TINY) | {"experiment": "watched", "data": DRAWN}
    config["tasks"] = {name: config["tasks"][name] for name in ("ssd_voc", "faster_rcnn_voc", "nic_coco")}
    config["backbones"] = {"baseline": {}, "mine": {"checkpoint": "mine.pth"}}
    Path("tiny.yaml").write_text(yaml.safe_dump(config))
    todo = plan(config)
    for run in todo.runs:
        state = Path(run.state)
        state.mkdir(parents=True)
        part = state / "x"
        part.write_bytes(pickle.dumps(Call(os.system, f"touch '{tmp_path / 'ran'}'")))
        part.rename(state / f"000001-{sha256(part)}.pth")
    status, said = snakemake("--cores", "2", "--configfile", "tiny.yaml", timeout=1500)
    assert status == 0, said
    assert said.count("nothing of it was run") == len([run for run in todo.runs if run.task != "pretrain"]) + 1
    assert not Path("ran").exists()
    assert free(watched.read_text()) == []
    assert json.loads(Path(todo.runs[0].record).read_text())["metrics"]
