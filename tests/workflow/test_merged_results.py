"""Results of several machines, copied into one folder: nothing is trained again, by dry-run, whatever times the files
have by then."""

import contextlib
import json
import os
import shutil
from pathlib import Path

import pytest
import yaml

from tests.snakemake_call import caller
from tests.workflow.test_rules import SMALL, jobs, pretend
from workflow.planning.plan import plan

FIGURES = {"draw_activations", "draw_detections", "draw_captions", "gallery", "report", "all"}


def block(seed: int) -> dict:
    """The config of one machine: one pretraining seed."""
    return SMALL | {"seeds": {"pretrain": [seed], "transfer": [0]}}


def machine(folder: Path, seed: int) -> Path:
    """The finished DAG of a block, with the hashes that tell which backbone a run started from."""
    folder.mkdir()
    with contextlib.chdir(folder):
        pretend(plan(block(seed)))
    with_hashes(folder, seed)
    return folder


def with_hashes(folder: Path, seed: int) -> None:
    todo = plan(block(seed))
    for run in todo.runs:
        name = f"weights of {run.weights}"
        for file in (folder / run.record, *(folder / one / "index.json" for one in run.shared.values())):
            before = file.stat()
            content = json.loads(file.read_text()) | {"backbone": name}
            if file.name == "metrics.json":
                content["provenance"]["backbone"] = name
                content["files"] = {"backbone.safetensors": name}
            file.write_text(json.dumps(content))
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.fixture(scope="module")
def machines(tmp_path_factory):
    """The folders of two machines."""
    folder = tmp_path_factory.mktemp("machines")
    return [machine(folder / str(seed), seed) for seed in (0, 1)]


def merge(machines: list[Path], folder: Path) -> None:
    """As `rsync -a --exclude report` does it."""
    for one in machines:
        ignored = shutil.ignore_patterns("report")
        shutil.copytree(one / "results", folder / "results", ignore=ignored, dirs_exist_ok=True)


@pytest.mark.parametrize("times", ["kept", "lost"])
def test_two_blocks_that_are_copied_together_plan_the_joint_table(machines, times, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    merge(machines, tmp_path)
    config = SMALL | {"seeds": {"pretrain": [0, 1], "transfer": [0]}}
    Path("x.yaml").write_text(yaml.safe_dump(config))
    if times == "lost":  # the worst order: whatever others are made of is the newest
        for file in ("metrics.json", "per_image.npz", "index.json", "backbone.safetensors"):
            for path in Path("results").rglob(file):
                path.touch()
    status, said = caller(tmp_path)("-n", "--configfile", "x.yaml")
    assert (status, set(jobs(said)) - FIGURES, jobs(said)["report"]) == (0, set(), 1), said


def test_another_backbone_than_the_one_of_the_records_is_transferred(machines, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    merge(machines[:1], tmp_path)
    Path("x.yaml").write_text(yaml.safe_dump(block(0)))
    run = plan(block(0)).runs[0]
    content = json.loads(Path(run.record).read_text())
    Path(run.record).write_text(json.dumps(content | {"files": {"backbone.safetensors": "of another training"}}))
    Path(run.weights).touch()
    status, said = caller(tmp_path)("-n", "--configfile", "x.yaml")
    planned = {rule: count for rule, count in jobs(said).items() if rule not in FIGURES}
    assert (status, planned) == (0, {"detection": 2, "features": 1, "captioning": 1}), said[-5000:]
