"""What the profiles for clusters ask for: by dry-run, and the states of real jobs where there is a Slurm."""

import re
import subprocess
from pathlib import Path

import pytest
import yaml

from tests import slurm
from workflow.config.loading import load

PROJECT = Path(__file__).parents[2]
PROFILES = PROJECT / "workflow/profiles"
NAMES = ["slurm", "cluster-generic"]
HERE = {"make_data", "check_data", "checked", "vocabulary", "report", "all"}  # not sent to a node
FETCH = {"fetch_data", "fetch_weights"}  # where the network is
SENT = {"pretrain", "import_backbone", "random_backbone", "features", "detection", "captioning"}
SENT |= {"localization", "evaluate_localization", "evaluate_robustness"}
DRAWN = {"gallery", "draw_activations", "draw_detections", "draw_captions", "draw_robustness_curves"}
DRAWN |= {"draw_localization", "draw_box_accuracy"}


def needs(said: str) -> dict[str, dict[str, int]]:
    """Rule to the threads and resources of its jobs in a dry-run."""
    found = {}
    for rule, block in re.findall(r"^rule (\w+):\n((?:    .*\n)*)", said, re.M):
        lines = "\n".join(re.findall(r"^    (?:resources|threads): .*", block, re.M))
        pairs = re.findall(r"\b(\w+)[=:] ?(\d+)\b", lines)
        found.setdefault(rule, {}).update((name, int(value)) for name, value in pairs)
    return found


@pytest.mark.parametrize("name", NAMES)
def test_every_job_says_what_it_needs(name, snakemake, tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"weights")
    rows = {"baseline": {}, "mine": {"checkpoint": "mine.pth"}, "scratch": {"init": "random"}}
    config = load(PROJECT / "config/paper.yaml") | {"backbones": rows}
    config["resources"] = {"cpu_threads": 2, "num_workers": 3, "gpus": 2, "job_minutes": 1000, "job_memory_gb": 5}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    mine = ["--set-resources", "features:runtime=7", "--set-threads", "captioning=3"]
    mine += ["--default-resources", "slurm_partition=some"]  # in place of all that the profile has of these
    call = ["-n", "--cores", "16", "--configfile", "x.yaml", "--profile", str(PROFILES / name), *mine]
    status, said = snakemake(*call, timeout=600)
    assert status == 0, said
    found = needs(said)
    assert found.keys() - HERE == SENT | DRAWN
    for rule in SENT | DRAWN:
        assert {"gpu", "mem_mb", "runtime"} <= found[rule].keys(), rule
    wanted = {"threads": 2 * (2 + 3), "gpu": 2, "mem_mb": 2 * (5000 + 3 * 1000), "runtime": 1000, "nodes": 1}
    assert {key: found["pretrain"][key] for key in wanted} == wanted
    assert all((found[rule]["gpu"], found[rule]["nodes"]) == (2, 1) for rule in ("detection", "captioning"))
    assert [found[rule]["gpu"] for rule in ("features", "import_backbone", "evaluate_robustness")] == [1, 1, 1]
    assert {found[rule]["runtime"] for rule in SENT - {"features", "random_backbone"}} == {1000}
    assert {found[rule]["runtime"] for rule in DRAWN | {"random_backbone"}} == {60}
    assert not any(found[rule]["gpu"] for rule in DRAWN | {"random_backbone"})
    assert (found["features"]["mem_mb"], found["captioning"]["mem_mb"]) == (8000, 16000 + 2500), "and METEOR's JVM"
    assert (found["features"]["runtime"], found["captioning"]["threads"]) == (7, 3), "what the user sets counts"


SAYING = f"""
include: "{PROJECT}/Snakefile"
print("retried:", *sorted(rule.name for rule in workflow.rules if rule._restart_times is None))
"""


def test_what_is_sent_is_retried_and_what_stays_here_is_not(snakemake, tmp_path):
    """Bad data need not be read six times. A rule without `retries` has those of the profile."""
    for name in NAMES:
        assert yaml.safe_load((PROFILES / name / "config.yaml").read_text())["retries"] == 5
    (tmp_path / "saying.smk").write_text(SAYING)
    call = [
        "results/data/all_checks_passed.txt",
        "-n",
        "-s",
        "saying.smk",
        "--configfile",
        str(PROJECT / "config/paper.yaml"),
    ]
    status, said = snakemake(*call)
    assert status == 0, said
    (retried,) = re.findall("^retried: (.*)$", said, re.M)
    assert set(retried.split()) >= SENT | DRAWN
    assert not set(retried.split()) & (HERE | FETCH) - {"all"}
    rules = "".join(file.read_text() for file in [*PROJECT.glob("workflow/rules/*.smk"), *PROJECT.glob("*/rules.smk")])
    local = re.findall(r"^localrules:\n((?:    .*\n)+)", rules, re.M)
    assert {*re.findall(r"\w+", "".join(local))} == HERE - {"all"} | FETCH


def silent(it: slurm.Slurm) -> str:
    """A configuration that names a controller which does not answer."""
    text = (it.folder / "slurm.conf").read_text()
    file = it.folder / "silent.conf"
    file.write_text(re.sub(r"SlurmctldPort=.*", "SlurmctldPort=1\nMessageTimeout=2\nSlurmctldTimeout=1", text))
    return str(file)


@pytest.mark.slow
@slurm.needs_slurm
def test_the_states_of_jobs(tmp_path):
    with slurm.running(tmp_path / "slurm") as it:

        def submit(*words: str) -> str:
            return it.call("sbatch", "--parsable", "--output=/dev/null", *words).strip()

        def says(job: str, **more: str) -> str:
            environment = it.environment | more
            call = [PROFILES / "cluster-generic/status", job]
            return subprocess.run(call, env=environment, capture_output=True, text=True, check=True).stdout.strip()

        good, bad, stopped = submit("--wrap=true"), submit("--wrap=false"), submit("--wrap=sleep 600")
        waiting = submit("--gpus=2", "--begin=now+1hour", "--wrap=true")
        slurm.wait(lambda: says(good) == "success" and says(bad) == "failed", 120, "two jobs do not end")
        slurm.wait(lambda: it.jobs("RUNNING"), 120, "a job does not begin")
        assert (says(stopped), says(waiting)) == ("running", "running")
        assert says(stopped, SLURM_CONF=silent(it)) == "running", "Slurm does not answer now"
        it.call("scancel", stopped)
        slurm.wait(lambda: says(stopped) == "failed", 120, "a job is not cancelled")
        assert says("4711") == "success", "forgotten; Snakemake looks for its output"
