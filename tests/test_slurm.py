"""The workflow on a real Slurm by its profiles: jobs get GPUs of their own, and those that were cancelled or preempted
amid their training go on with it; what comes out has the same bits as on this machine alone."""

import contextlib
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from tests import slurm
from tests.test_dag import DEMO, DRAWN, TINY
from workflow.config.loading import overlay
from workflow.core.files import read_json
from workflow.planning.plan import PlannedRun, plan
from workflow.training.distributed.launch import devices

PROJECT = Path(__file__).parents[1]
pytestmark = [pytest.mark.slow, slurm.needs_slurm]
ROWS = {name: DEMO["backbones"][name] for name in ("baseline", "cutmix")}
SMALL = overlay(DEMO, {"pretrain": TINY["pretrain"] | {"epochs": 20, "eval_interval": 0}})  # 80 iterations
CONFIG = SMALL | {
    **{"experiment": "small", "resources": DEMO["resources"] | {"gpus": 1}, "backbones": ROWS},
    **{"data": DRAWN, "tasks": {task: DEMO["tasks"][task] | TINY["tasks"][task] for task in ("ssd_voc", "nic_coco")}},
}
WITH_SCRATCH = CONFIG | {"backbones": ROWS | {"scratch": {"init": "random"}}}
TODO = plan(CONFIG)
PRETRAINED = [run for run in TODO.runs if run.task == "pretrain"]
(SCRATCH,) = [run for run in plan(WITH_SCRATCH).runs if (run.task, run.origin) == ("pretrain", "random")]
GALLERY = plan(WITH_SCRATCH).figures["gallery"]
NO_GPU = ["gallery", "random_backbone"]
# No accounting here; and a look every second.
QUICK = {
    "slurm": ["--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1"],
    "cluster-generic": ["--seconds-between-status-checks", "1"],
}
MINE = ["--set-threads", "pretrain=2", "--set-resources", "pretrain:runtime=30"]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    """A Slurm with one node and two GPUs."""
    if devices():
        pytest.skip("a real GPU would be used, and its bits are not a CPU's")
    with slurm.running(tmp_path_factory.mktemp("cluster") / "slurm") as it:
        yield it


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    """The runs of CONFIG, and the random backbone, on this machine alone."""
    folder = tmp_path_factory.mktemp("local")
    (folder / "x.yaml").write_text(yaml.safe_dump(WITH_SCRATCH))
    call = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "--configfile", "x.yaml"]
    call += ["--cores", "2", "--", *(run.record for run in [*TODO.runs, SCRATCH])]
    done = subprocess.run(call, cwd=folder, capture_output=True, text=True, timeout=1500, check=False)
    assert done.returncode == 0, (done.stdout + done.stderr)[-5000:]
    return folder


@contextlib.contextmanager
def submitting(
    cluster: slurm.Slurm, profile: str, folder: Path, config: dict, *targets: str
) -> Iterator[subprocess.Popen]:
    """A Snakemake that sends the jobs of a config to Slurm; what it says goes to `said`."""
    (folder / "x.yaml").write_text(yaml.safe_dump(config))
    call = [sys.executable, "-m", "snakemake", "-s", str(PROJECT / "Snakefile"), "--configfile", "x.yaml"]
    call += ["--profile", str(PROJECT / "workflow/profiles" / profile), *QUICK[profile], *MINE, "--", *targets]
    with (folder / "said").open("w") as said:
        process = subprocess.Popen(call, cwd=folder, env=cluster.environment, stdout=said, stderr=subprocess.STDOUT)
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def interrupt(snakemake: subprocess.Popen, folder: Path, actions: dict[str, Callable[[], None]]) -> None:
    """Do to each run, by its record, what is to be done amid its training."""
    end = time.monotonic() + 1500
    left = dict(actions)
    while left:
        said = (folder / "said").read_text()[-5000:]
        assert time.monotonic() < end, said
        assert snakemake.poll() is None, said
        for record in list(left):
            log = (folder / record).with_name("log.txt")
            if log.exists() and re.search(r"\] \d+/80 ", log.read_text()):
                left.pop(record)()
        time.sleep(0.1)


def finish(snakemake: subprocess.Popen, folder: Path) -> str:
    """Wait for its end; what it said."""
    snakemake.wait(timeout=1500)
    said = (folder / "said").read_text()
    assert snakemake.returncode == 0, said[-5000:]
    return said


def running(cluster: slurm.Slurm, word: str) -> str:
    """The id of the running job with this word in its name or comment."""
    (job,) = [
        number
        for number, job in cluster.jobs("RUNNING").items()
        if re.search(rf"(?:\b|_){word}(?:\b|_)", f"{job['JobName']} {job.get('Comment', '')}")
    ]
    return job


def preempt(cluster: slurm.Slurm, job: str) -> None:
    """As Slurm does it where its mode is REQUEUE, but that the job need not wait for two minutes."""
    cluster.call("scontrol", "requeue", job)
    slurm.wait(lambda: cluster.jobs("PENDING").get(job), 60, "a job is not queued again")
    cluster.call("scontrol", "update", f"JobId={job}", "StartTime=now")


def check_attempts(cluster: slurm.Slurm, name: str, column: str, restarts: list[str]) -> None:
    """The jobs whose `column` begins with `name`: how often Slurm itself began each again, and what each asked for."""
    jobs = [job for job in cluster.jobs().values() if job.get(column, "").startswith(name)]
    assert [job["Restarts"] for job in jobs] == restarts
    for job in jobs:
        assert job["TRES"].startswith("cpu=2,mem=4000M,")
        assert (job["TimeLimit"], job["TresPerJob"]) == ("00:30:00", "gres:gpu:1")


def resumed(run: PlannedRun, folder: Path) -> list[int]:
    """The iterations at which it went on."""
    log = (folder / run.record).with_name("log.txt").read_text()
    return [int(found) for found in re.findall(r"resumed at iteration (\d+) of 80", log)]


def check_same(runs: list[PlannedRun], one: Path, other: Path) -> None:
    """Metrics, curves, backbones and predictions, bit for bit."""
    for run in runs:
        a, b = (read_json(folder / run.record) for folder in (one, other))
        assert a["metrics"] == b["metrics"]
        assert a["history"] == b["history"]
        assert a["provenance"]["backbone"] == b["provenance"]["backbone"]
        files = [run.weights] + [str(Path(run.record).with_name("predictions.json"))] * (run.task != "pretrain")
        for file in files:
            assert (one / file).read_bytes() == (other / file).read_bytes(), file


def check_devices(cluster: slurm.Slurm) -> None:
    """Jobs with a GPU had one of the two each, and two at the same time had different ones; the others had none."""
    found, jobs = cluster.devices(), cluster.jobs()
    alone = {number for number, job in jobs.items() if "gres:gpu:1" in job.get("TresPerJob", "")}
    assert {found[number] for number in alone} == {"0", "1"}
    assert not any(found[number] for number in jobs.keys() - alone)
    together = [
        (a, b)
        for a, b in combinations(alone, 2)
        if jobs[a]["StartTime"] < jobs[b]["EndTime"] and jobs[b]["StartTime"] < jobs[a]["EndTime"]
    ]
    assert together
    assert all(found[a] != found[b] for a, b in together)


def test_the_dag_with_a_job_cancelled_and_one_preempted(cluster, local, tmp_path):
    baseline, cutmix = PRETRAINED
    with submitting(cluster, "slurm", tmp_path, CONFIG) as snakemake:
        actions = {
            baseline.record: lambda: cluster.call("scancel", running(cluster, "baseline")),
            cutmix.record: lambda: preempt(cluster, running(cluster, "cutmix")),
        }
        interrupt(snakemake, tmp_path, actions)
        said = finish(snakemake, tmp_path)
    assert "SLURM status is: 'CANCELLED'" in said
    here, sent = (set(re.findall(rf"^{kind} (\w+):", said, re.M)) for kind in ("localrule", "rule"))
    assert here == {"make_data", "check_data", "checked", "vocabulary", "report", "all"}
    drawn = {"gallery", "draw_activations", "draw_detections", "draw_captions"}
    assert sent == {"pretrain", "detection", "features", "captioning"} | drawn
    assert [1 <= at < 80 for run in PRETRAINED for at in resumed(run, tmp_path)] == [True, True]
    check_same(TODO.runs, tmp_path, local)
    check_devices(cluster)
    check_attempts(cluster, "rule_pretrain_wildcards_baseline_", "Comment", ["0", "0"])
    check_attempts(cluster, "rule_pretrain_wildcards_cutmix_", "Comment", ["1"])


def test_another_batch_system_with_a_job_cancelled(cluster, local, tmp_path):
    run = PRETRAINED[0]
    wanted = (run.record, SCRATCH.record, GALLERY)
    with submitting(cluster, "cluster-generic", tmp_path, WITH_SCRATCH, *wanted) as snakemake:
        interrupt(snakemake, tmp_path, {run.record: lambda: cluster.call("scancel", running(cluster, "pretrain"))})
        finish(snakemake, tmp_path)
    assert [1 <= at < 80 for at in resumed(run, tmp_path)] == [True]
    check_same([run, SCRATCH], tmp_path, local)
    check_attempts(cluster, "pretrain", "JobName", ["0", "0"])
    without = {job["JobName"]: job["TresPerJob"] for job in cluster.jobs().values() if job["JobName"] in NO_GPU}
    assert without == dict.fromkeys(NO_GPU, "gres:gpu:0")
    assert (tmp_path / GALLERY).stat().st_size > 10_000
