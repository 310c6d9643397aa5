"""Laws of the hand-out of devices: no two jobs share one, and however a job ends, its devices are free again.

The node's devices are what a stand-in for `nvidia-smi` on the PATH lists; the jobs are processes of their own.
"""

import itertools
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.waiting import end, read_line
from tests.workflow.training.distributed.node import PROJECT, UNTIL, USER, UUIDS, waiting
from workflow.config.loading import load
from workflow.training.distributed.launch import devices, lock_gpu, main, visible


def test_two_jobs_get_different_devices_and_a_third_waits_for_a_killed_ones(node):
    start = node(2)
    first, second = start(1), start(1)
    one, other = read_line(first, "sees"), read_line(second, "sees")
    assert {one, other} == {f"sees '{UUIDS[0]}'\n", f"sees '{UUIDS[1]}'\n"}
    third = start(1)
    who = {one[6:-2]: first.pid, other[6:-2]: second.pid}
    assert read_line(third, "waiting") == waiting("1 of 2 devices", {uuid: who[uuid] for uuid in UUIDS[:2]})
    second.send_signal(signal.SIGKILL)
    second.wait()
    assert read_line(third, "sees") == other
    Path("go on").unlink()
    assert first.wait(300) == third.wait(300) == 0


def test_jobs_share_a_device_where_all_of_them_say_so(node):
    """The emptier of two is taken first; one that shares with nobody waits, and so does whoever would join it."""
    start, share = node(2), {"TRAINING_JOBS_PER_GPU": "2"}
    sharing = [start(1, **share) for _ in range(4)]
    seen = [read_line(job, "sees") for job in sharing]
    assert sorted(seen) == sorted(2 * [f"sees '{UUIDS[0]}'\n", f"sees '{UUIDS[1]}'\n"])
    fifth, alone = start(1, **share), start(1)
    assert read_line(fifth, "waiting").startswith("[ssd_voc mine s0] waiting for 1 of 2 devices, 0 min so far")
    said = read_line(alone, "waiting")
    assert all(f"process {job.pid} of {USER}" in said for job in sharing)
    sharing[0].send_signal(signal.SIGKILL)
    sharing[0].wait()
    assert read_line(fifth, "sees") == seen[0], "and not the other, which leaves no place"
    Path("go on").unlink()
    assert [job.wait(300) for job in (*sharing[1:], fifth, alone)] == [0] * 5


@pytest.mark.parametrize(("first", "second", "both"), [(1, 1, 0), (1, 2, 0), (2, 1, 0), (2, 2, 1), (3, 2, 1)])
def test_a_place_is_one_that_all_holders_grant(first, second, both):
    held, other = lock_gpu("GPU-shared", first), lock_gpu("GPU-shared", second)
    assert (other is not None) == both
    third = lock_gpu("GPU-shared", 3)
    assert (third is None) == (both or first == 1), "two are there already, or one that shares with nobody"
    for mark in filter(None, (held, other, third)):
        mark.close()


def test_a_job_takes_several_or_none_and_hands_its_arguments_on(node):
    start = node(3)
    one = start(1, "--out", "a b; c")
    assert read_line(one, "sees") == f"sees '{UUIDS[0]}' --out a b; c\n"
    assert read_line(start(0), "sees") == "sees ''\n", "0: whatever the node has, it is not used"
    Path("go on").unlink()
    assert one.wait(300) == 0


def test_a_job_of_two_devices_has_a_process_for_each_and_others_have_the_rest(node):
    start = node(3)
    two = start(2)
    assert read_line(two, " on ") == f"[ssd_voc mine s0] on {UUIDS[0]},{UUIDS[1]}\n"
    assert {read_line(two, "sees") for _ in range(2)} == {f"sees '{UUIDS[0]},{UUIDS[1]}'\n"}
    one = start(1)
    assert read_line(one, "sees") == f"sees '{UUIDS[2]}'\n"
    third = start(2)
    held = {UUIDS[0]: two.pid, UUIDS[1]: two.pid, UUIDS[2]: one.pid}
    assert read_line(third, "waiting") == waiting("2 of 3 devices", held)
    Path("go on").unlink()
    assert two.wait(300) == one.wait(300) == third.wait(300) == 0
    assert not list(Path("temporary").glob("torchelastic_*"))


def test_a_job_of_several_devices_holds_none_while_it_waits(node):
    node(3)
    held, me = [lock_gpu(device) for device in UUIDS[:2]], f"process {os.getpid()} of {USER}"
    take = "from workflow.training.distributed.launch import acquire_gpus as take"
    take += f"; print('took', *take({UUIDS}, 2, 'x'), flush=True)"
    with subprocess.Popen([sys.executable, "-c", take], stdout=subprocess.PIPE, text=True) as job:
        marked = f"{UUIDS[0]} by {me}, {UUIDS[1]} by {me}, {UUIDS[2]} by nobody any more"
        assert read_line(job, "waiting") == f"[x] waiting for 2 of 3 devices, 0 min so far, {UNTIL}{marked}\n"
        free = lock_gpu(UUIDS[2])
        while free is None:  # it tries now and then
            free = lock_gpu(UUIDS[2])
        held[0].close()
        free.close()
        assert read_line(job, "took") == f"took {UUIDS[0]} {UUIDS[2]}\n"
    held[1].close()


def test_whoever_waits_says_so_again(node):
    node(1)
    held = lock_gpu(UUIDS[0])
    code = "from workflow.training.distributed import launch; launch.SECONDS_BETWEEN_LINES = 0"
    code += f"; launch.acquire_gpus({UUIDS[:1]}, 1, 'x')"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as job:
        assert read_line(job, "waiting").startswith("[x] waiting for the device, 0 min so far, ")
        assert read_line(job, "waiting")
        held.close()
        assert job.wait(300) == 0


@pytest.fixture
def stranger():
    """Call it with a line of Python, in which `s` is a socket: another user runs it and goes on living; its number."""
    if os.geteuid():
        pytest.skip("to be another user needs root")
    started = []

    def be(line):
        code = f"import os, socket, time; os.setgroups([]); os.setgid(65534); os.setuid(65534); s = socket.socket(1); {line}; print(0, flush=True); time.sleep(1e6)"  # noqa: E501
        job = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        started.append(job)
        assert read_line(job, "0")
        return job.pid

    yield be
    for job in started:
        end(job)
        job.wait()
        job.stdout.close()


MARKS = {
    "answers": "s.bind('\\0backbone-transfer {} x'); s.listen(99)",
    "answers no more": "s.bind('\\0backbone-transfer {} x'); s.listen(0); c = socket.socket(1); "
    "c.connect('\\0backbone-transfer {} x')",
    "does not answer": "s.bind('\\0backbone-transfer {} x')",
    "as it was named once": "s.bind('\\0backbone-transfer {}'); s.listen(1)",
}


@pytest.mark.parametrize("kind", ["answers", *(pytest.param(kind, marks=pytest.mark.slow) for kind in list(MARKS)[1:])])
def test_a_mark_of_another_user_blocks_nobody(kind, node, stranger):
    start = node(2)
    process = stranger(MARKS[kind].replace("{}", UUIDS[0]))
    first, second, third = start(2), None, None
    both = first.stdout.readline()
    if kind == "answers":
        who = [f"process {process} of nobody", f"process {first.pid} of {USER}"]
        assert both.startswith("[ssd_voc mine s0] another user has a mark on it, which is no reason to wait: ")
        assert all(text in both for text in who)
        both = read_line(first, " on ")
    assert both == f"[ssd_voc mine s0] on {UUIDS[0]},{UUIDS[1]}\n"
    second = start(1)
    assert "waiting for 1 of 2 devices" in read_line(second, "waiting"), "one's own marks do, there too"
    Path("go on").unlink()
    assert first.wait(300) == second.wait(300) == 0
    Path("go on").touch()
    third = start(1)
    free = UUIDS[1] if kind == "answers" else UUIDS[0]
    assert read_line(third, "sees") == f"sees '{free}'\n", "what nobody has marked is taken first"


@pytest.mark.parametrize(
    ("allowed", "found"),
    [
        (None, UUIDS),
        ("2,0", [UUIDS[2], UUIDS[0]]),
        ("GPU-bb", [UUIDS[1]]),
        (f"{UUIDS[1]}, 1,7", [UUIDS[1]]),
        ("0,-1,2", [UUIDS[0]]),
        ("0,,2", [UUIDS[0]]),
        ("MIG-1/2", ["MIG-1/2"]),
        ("", []),
        ("NoDevFiles", []),
        ("-1", []),
    ],
    ids=itertools.count(),  # the UUIDs differ from process to process
)
def test_only_what_is_visible_is_handed_out(allowed, found, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if allowed is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", allowed)
    assert visible(UUIDS) == found


def test_a_job_uses_what_it_may_and_no_more(node):
    start = node(3)
    first = start(1, CUDA_VISIBLE_DEVICES="2")
    assert read_line(first, "sees") == f"sees '{UUIDS[2]}'\n"
    other = start(1, CUDA_VISIBLE_DEVICES="2")
    assert read_line(other, "waiting") == waiting("the device", {UUIDS[2]: first.pid})
    job = start(1, CUDA_VISIBLE_DEVICES="")
    assert job.communicate()[0] == "error: gpus: 1, but this node has 3, CUDA_VISIBLE_DEVICES allows 0 of them\n"
    assert job.returncode == 1


def test_several_mig_slices_are_refused(node):
    job = node(3)(2, CUDA_VISIBLE_DEVICES="MIG-1,MIG-2")
    said = "error: gpus: 2, but MIG-1 is a MIG slice: a training uses one of them at most, gpus: 1\n"
    assert job.communicate()[0] == said
    assert job.returncode == 1


def test_more_than_the_node_has_is_refused(node):
    job = node(2)(3)
    assert job.communicate()[0] == "error: gpus: 3, but this node has 2\n"
    assert job.returncode == 1


def test_without_a_device_the_training_goes_on_the_cpu_and_sees_what_it_saw(node):
    start = node(0)
    assert devices() == []
    job = start(1, CUDA_VISIBLE_DEVICES="0")  # as a Slurm with a made-up device sets it
    assert (
        read_line(job, "gpus") == "[ssd_voc mine s0] gpus: 1, but no NVIDIA device on this node: training on the CPU\n"
    )
    assert read_line(job, "sees") == "sees '0'\n"


def test_a_run_that_is_none_is_refused(node):
    node(1)
    call = [sys.executable, "-m", "workflow.training.distributed.launch", "job", "--run-spec", "{}"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: --run-spec is not the JSON of a run")


@pytest.mark.slow
@pytest.mark.parametrize(("share", "given", "taken"), [(1, [], 2), (3, [], 6), (1, ["--resources", "gpu=5"], 5)])
def test_snakemake_begins_no_more_jobs_here_than_there_are_devices_for(share, given, taken, node, snakemake):
    node(2)
    Path("w.pth").write_bytes(b"weights")
    config = load(PROJECT / "config/demo.yaml") | {"backbones": {"baseline": {"checkpoint": "w.pth"}}}
    config["resources"] |= {"gpus": 1, "jobs_per_gpu": share}
    Path("x.yaml").write_text(yaml.safe_dump(config))
    said = snakemake("gallery", "--cores", "1", "--configfile", "x.yaml", *given)[1]  # of nothing: quick
    assert re.search(rf"^Provided resources: gpu=.*\b{taken}\b", said, re.M)


def test_launch_must_be_given_each_of_its_arguments(required):
    assert required(main)[0] == "module"  # the rest counts as required in some versions of Python
