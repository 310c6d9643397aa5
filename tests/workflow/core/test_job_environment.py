"""What every job begins with."""

import os
import subprocess
import sys
from pathlib import Path

from snakemake.shell import shell

from workflow.core.job_environment import SHELL, prepare_jobs, usable_cores


def test_jobs_run_this_python_on_this_code(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "theirs")
    monkeypatch.setenv("PATH", "/bin")
    monkeypatch.setenv("PYTHONUNBUFFERED", "")
    prepare_jobs("house with blanks")
    assert os.environ["PYTHONPATH"] == f"house with blanks{os.pathsep}theirs"
    assert os.environ["PATH"] == f"{Path(sys.executable).parent}{os.pathsep}/bin"
    assert shell._process_prefix == SHELL


def test_what_a_job_says_is_shown_and_appended_and_its_status_counts(tmp_path):
    call = ["bash", "-c", f"{SHELL} (echo one; echo two >&2; exit 7) 2>&1 | keep log"]
    for times in (1, 2):
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stdout) == (7, "one\ntwo\n")
        assert (tmp_path / "log").read_text() == "one\ntwo\n" * times


def test_cores_are_those_that_this_process_may_use(monkeypatch):
    allowed = os.sched_getaffinity(0)
    assert usable_cores() == len(allowed)
    os.sched_setaffinity(0, {min(allowed)})
    try:
        assert usable_cores() == 1
    finally:
        os.sched_setaffinity(0, allowed)
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS
    assert usable_cores() == os.cpu_count()
