"""An imported file that cannot become a backbone stops the workflow before any job, and is not looked at again once it
is published."""

import json
import sys

import pytest
import torch
import yaml

from pretrain.cli import main
from tests.conftest import PROJECT
from workflow.config.loading import load
from workflow.core.files import sha256
from workflow.planning.plan import plan
from workflow.planning.preflight import check_before_start


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The demo with a pretrained row and an imported one, whose file holds something else."""
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(1)}, "mine.pth")
    return load(PROJECT / "config/demo.yaml") | {"backbones": {"baseline": {}, "mine": {"checkpoint": "mine.pth"}}}


def test_the_door_names_the_file(config, monkeypatch, capsys):
    declared = {
        "network": "resnet50",
        "preprocessing": "imagenet",
        "stride": "3x3",
        "checkpoint_key": None,
        "sha256": sha256("mine.pth"),
    }
    monkeypatch.setattr(
        sys, "argv", ["pretrain", "preflight", "--recipes", json.dumps([declared | {"checkpoint": "mine.pth"}])]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("error: checkpoint mine.pth is not torchvision's ResNet-50")


def test_what_is_published_is_not_looked_at_again(config, tmp_path):
    runs = plan(config).runs
    (imported,) = [run for run in runs if run.origin == "imported" and run.task == "pretrain"]
    (tmp_path / imported.weights).parent.mkdir(parents=True)
    (tmp_path / imported.weights).write_bytes(b"")
    check_before_start(runs)


def test_no_core_is_an_error_and_nothing_that_waits_for_ever(capsys):
    with pytest.raises(SystemExit):
        check_before_start([], cores=0)
    assert capsys.readouterr().err == "error: --cores 0: no job could ever begin\n"


def test_snakemake_starts_no_job(config, snakemake, tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("--cores", "1", "--keep-going", "--configfile", "x.yaml")
    assert status == 1
    assert "error: checkpoint mine.pth is not torchvision's ResNet-50" in said
    assert "Traceback" not in said
    assert not list((tmp_path / ".snakemake/locks").glob("*")), "the lock is given back"
    assert not (tmp_path / "results/data").exists(), "no job has begun"
