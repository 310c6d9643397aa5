"""A training of two processes that ends before its time goes on where it was, and ends with the same bits."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.waiting import PATIENCE, children, end, gone
from tests.workflow.training import pair
from workflow.core.files import read_json
from workflow.planning.run_spec import RunSpec
from workflow.training.resume.checkpointing import states

PROJECT = Path(__file__).parents[3]
RECIPE = pair.RECIPE | {"epochs": 20, "eval_interval": 10}  # 100 iterations
RUN = RunSpec("ssd_voc", "cutmix", {"pretrain": 0, "transfer": 1}, RECIPE, {}, threads=1, workers=1, gpus=2)
NAME = "ssd_voc cutmix p0s1"
pytestmark = pytest.mark.slow


def begin(out, **more):
    """In a group of its own, as Snakemake's jobs are on a cluster."""
    call = [sys.executable, "-u", "-m", "workflow.training.distributed.launch", "tests.workflow.training.lasting"]
    with (out / "said").open("w") as said:
        return subprocess.Popen(
            [*call, "--out", str(out), "--run-spec", json.dumps(RUN.as_dict() | more)],
            cwd=PROJECT, stdout=said, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip


def wait(job, condition):
    until = time.monotonic() + PATIENCE
    while not condition():
        assert job.poll() is None
        assert time.monotonic() < until
        time.sleep(0.05)


def finish(job, out):
    """Its status and what it said; none of its processes is left."""
    job.wait(timeout=900)
    return job.returncode, (out / "said").read_text()


def kill_group(job, number):
    os.killpg(job.pid, number)


def alone(job, number):
    os.kill(job.pid, number)


def twice(job, number):
    os.kill(job.pid, number)
    time.sleep(0.02)
    os.kill(job.pid, number)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    out = tmp_path_factory.mktemp("undisturbed")
    assert finish(begin(out), out)[0] == 0
    return read_json(out / "found.json")


@pytest.fixture
def disturb(tmp_path):
    """Begin or go on, and end it by `how` amid its training: its status, what it said, the states that lie there."""
    jobs, processes = [], []

    def call(how, *arguments):
        jobs.append(job := begin(tmp_path))
        wait(job, lambda: " ETA " in (tmp_path / "said").read_text())
        processes.extend(each := children(job.pid))
        processes.extend(below for one in each for below in children(one))
        how(job, *arguments)
        found = finish(job, tmp_path)
        assert gone(processes)
        return *found, len(states(tmp_path / "state"))

    yield call
    for job in jobs:
        end(job)
        job.wait()


def test_it_is_asked_or_killed_and_goes_on(disturb, undisturbed, tmp_path):
    (tmp_path / "slow").touch()
    asked = f"[{NAME}] SIGTERM: its processes are asked to end\nstopped by SIGTERM: {NAME} has kept its state of "
    resumed = 0
    for written, how in enumerate((kill_group, alone, twice), start=1):
        status, said, kept = disturb(how, signal.SIGTERM)
        assert (status, said.count("stopped by")) == (128 + signal.SIGTERM, 1), said
        assert asked in said
        assert kept == min(written, 2), "one more, and the last two are kept"
        assert f"resumed at iteration {resumed} of" in said or not resumed
        resumed = int(re.search(r"state of iteration (\d+) of 100, where the same command goes on\n\Z", said)[1])
    for number in (1, 0):
        status, said, kept = disturb(lambda job, n=number: os.kill(children(job.pid)[n], signal.SIGKILL))
        assert (status, kept) == (1, 2)
        what = f"process {number + 1} of 2 was ended by SIGKILL"
        assert f"error: {NAME}: {what}; the same command goes on where it was" in said
        assert "Traceback" not in said
        assert f"resumed at iteration {resumed} of" in said
    (tmp_path / "slow").unlink()
    job = begin(tmp_path)
    assert finish(job, tmp_path)[0] == 0
    assert f"resumed at iteration {resumed} of" in (tmp_path / "said").read_text()
    assert read_json(tmp_path / "found.json") == undisturbed


def test_the_first_process_writes_one_curve_for_all(undisturbed, tmp_path):
    tracking = {"tracker": "tensorboard", "folder": str(tmp_path / "tracking"), "name": "run"}
    (tmp_path / "slow").touch()
    job = begin(tmp_path, tracking=tracking)
    wait(job, lambda: " ETA " in (tmp_path / "said").read_text())
    kill_group(job, signal.SIGTERM)
    assert finish(job, tmp_path)[0] == 128 + signal.SIGTERM
    (tmp_path / "slow").unlink()
    assert finish(begin(tmp_path, tracking=tracking), tmp_path)[0] == 0
    assert read_json(tmp_path / "found.json") == undisturbed
    files = [*(tmp_path / "tracking/run").iterdir()]
    assert len(files) == 2, "one an attempt"
    events = EventAccumulator(str(tmp_path / "tracking/run"), size_guidance={"scalars": 0}).Reload()
    points = [(point["iteration"], pytest.approx(point["loss"], rel=1e-6)) for point in undisturbed["points"]]
    assert [(event.step, event.value) for event in events.Scalars("train/loss")] == points


def test_asked_while_one_waits_for_the_other_in_an_evaluation_it_ends_at_once(undisturbed, tmp_path):
    (tmp_path / "dawdle").touch()
    job = begin(tmp_path)
    wait(job, lambda: all((tmp_path / f"evaluates{rank}").exists() for rank in (0, 1)))
    before = states(tmp_path / "state")  # written before the evaluation
    os.kill(job.pid, signal.SIGTERM)
    status, said = finish(job, tmp_path)
    assert status == 128 + signal.SIGTERM
    assert f"[{NAME}] SIGTERM: its processes are asked to end\n" in said  # the last line, if the other is in it already
    assert states(tmp_path / "state") == before != []
    (tmp_path / "dawdle").unlink()
    status, said = finish(begin(tmp_path), tmp_path)
    assert (status, "resumed at iteration 50 of 100" in said) == (0, True)
    assert read_json(tmp_path / "found.json") == undisturbed


def test_none_of_its_processes_outlives_a_launcher_that_is_killed_as_they_begin(tmp_path):
    job = begin(tmp_path)
    wait(job, lambda: len(children(job.pid)) == 2)
    processes = children(job.pid)
    job.kill()
    job.wait()
    assert gone(processes), "they wait for each other"


def test_two_torchruns_started_by_hand_as_on_two_nodes_train_the_same(undisturbed, tmp_path):
    """The command of docs/clusters.md."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        meeting = f"127.0.0.1:{free.getsockname()[1]}"
    call = [sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--nproc-per-node", "1"]
    call += ["--rdzv-backend", "c10d", "--rdzv-id", "7", "--rdzv-endpoint", meeting, "-m", "--"]
    call += ["tests.workflow.training.lasting", "--run-spec", json.dumps(RUN.as_dict()), "--out", str(tmp_path)]
    with (tmp_path / "said").open("w") as said:
        nodes = [subprocess.Popen(call, cwd=PROJECT, stdout=said, stderr=subprocess.STDOUT) for _ in range(2)]
    try:
        assert [node.wait(timeout=900) for node in nodes] == [0, 0], (tmp_path / "said").read_text()
    finally:
        for node in nodes:
            node.kill()
            node.wait()
    assert read_json(tmp_path / "found.json") == undisturbed
