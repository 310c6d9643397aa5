"""A node with devices that a stand-in for `nvidia-smi` lists, and jobs that last as long as a file."""

import json
import os
import pwd
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import end

PROJECT = Path(__file__).parents[4]
UUIDS = [f"GPU-{name}-{os.getpid()}" for name in ("aa11", "bb22", "cc33")]  # no other test run's
JOB = """
import os, sys, time
line = " ".join(["sees", repr(os.environ.get("CUDA_VISIBLE_DEVICES")), *sys.argv[3:]])
os.write(1, line.encode() + b"\\n")  # at once: torchrun's processes have no buffer, and print is word by word
while os.path.exists("go on"):
    time.sleep(0.02)
"""


USER = pwd.getpwuid(os.geteuid()).pw_name
UNTIL = "until the jobs that hold them end: "


def waiting(what, held):
    """What a job says that waits for processes."""
    who = ", ".join(f"{device} by process {process} of {USER}" for device, process in held.items())
    return f"[ssd_voc mine s0] waiting for {what}, 0 min so far, {UNTIL}{who}\n"


@pytest.fixture
def node(tmp_path, monkeypatch):
    """Call it with a number: a node with so many devices and a job that lasts as long as the file `go on`. Gives a
    function that starts a job with `gpus` and environment; all jobs are killed in the end."""
    started = []
    monkeypatch.chdir(tmp_path)
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", f"{PROJECT}{os.pathsep}{tmp_path}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    Path("job.py").write_text(JOB)
    Path("go on").touch()

    def make(count):
        tool = Path("nvidia-smi")
        tool.write_text(
            "#!/bin/sh\nprintf '%s\\n' " + " ".join(UUIDS[:count]) + "\n" if count else "#!/bin/sh\nexit 6\n"
        )
        tool.chmod(0o755)
        return start

    def start(gpus, *arguments, **environment):
        run = {"task": "ssd_voc", "backbone": "mine", "seeds": {"transfer": 0}, "recipe": {}, "data": {}}
        run |= {"threads": 1, "workers": 0, "gpus": gpus}
        call = [
            sys.executable,
            "-m",
            "workflow.training.distributed.launch",
            "job",
            "--run-spec",
            json.dumps(run),
            *arguments,
        ]
        job = subprocess.Popen(
            call, env=os.environ | environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        started.append(job)
        return job

    yield make
    for job in started:
        end(job)
        job.wait()
        job.stdout.close()
