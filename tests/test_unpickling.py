"""No call anywhere, ours or a library's, unpickles a file freely: runs are watched from within each process. A whole
workflow is, in tests/test_dag.py."""

import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.bad.imported import Call
from tests.unpickling import free

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
from workflow.training.resume import checkpointing as state
from dataclasses import replace
state.SECONDS_BETWEEN_SAVES = 0
run, folder = replace(run_of(), workers=2), Path(sys.argv[1])
die_after(7, run, folder)
fit(run, task(run), 20, folder)
"""
    call = [sys.executable, "-c", code, str(tmp_path / "state")]
    done = subprocess.run(call, check=True, capture_output=True, text=True)
    assert "resumed at iteration 7 of 12" in done.stdout
    assert free(watched.read_text()) == []
    assert "multiprocessing" in watched.read_text(), "what its own processes hand over is seen"
