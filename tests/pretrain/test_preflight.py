"""What only data and brought files can tell is told before anything is trained."""

import json
import sys
from pathlib import Path

import pytest
import torch
import yaml

from pretrain.preflight import main
from tests.conftest import PROJECT
from workflow.config import load, overlay
from workflow.plan import plan
from workflow.training.files import read_json, sha256

SMALL = {
    "imagenet": {"synthetic": {"classes": 2, "train": 4, "val": 2, "size": 32, "seed": 0}},
    "voc": {"synthetic": {"classes": 2, "trainval07": 2, "trainval12": 2, "test07": 2, "size": 64, "seed": 0}},
    "coco": {"synthetic": {"classes": 2, "train": 2, "val": 2, "size": 64, "seed": 0}, "split": "2014"},
}


@pytest.fixture
def door(tmp_path, monkeypatch, capsys):
    """Call it with demands; what it says as an error, empty if it is content."""
    monkeypatch.chdir(tmp_path)

    def call(batches, **brought):
        words = ["--demands", json.dumps({"batches": batches, "brought": brought}), "--out", "done.json"]
        monkeypatch.setattr(sys, "argv", ["preflight", *words])
        try:
            main()
        except SystemExit:
            assert not Path("done.json").exists()
            return capsys.readouterr().err
        assert Path("done.json").exists()
        return ""

    return call


def test_a_batch_larger_than_the_data_is_named(door, voc):
    counted = [str(voc.check), ["trainval07", "trainval12"]]
    assert door({"tasks.ssd_voc.batch": [17, *counted]}) == (
        f"error: tasks.ssd_voc.batch: 17 is more than the 16 training samples of {voc.root}\n"
    )
    assert door({"tasks.ssd_voc.batch": [16, *counted]}) == ""


def test_a_brought_file_that_is_no_resnet_50_is_named(door):
    torch.save({"w": torch.ones(1)}, "mine.pth")
    declared = {"preprocessing": "imagenet", "stride": "3x3", "weights": None, "checkpoint": "mine.pth"}
    said = door({}, mine=declared | {"sha256": sha256("mine.pth")})
    assert said.startswith("error: checkpoint mine.pth is not torchvision's ResNet-50")


def test_every_batch_and_every_brought_file_is_asked_for(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    rows = {"mine": {"checkpoint": str(tmp_path / "w.pth")}, "scratch": {"init": "random"}}
    todo = plan(overlay(load(PROJECT / "config/demo.yaml"), {"backbones": rows}))
    demands = json.loads(todo.demands)
    assert demands["brought"].keys() == {"mine"}
    assert demands["batches"].keys() == {f"tasks.{task}.batch" for task in todo.tasks} | {
        f"pretrain.batch of {name}" for name in todo.backbones if name not in rows
    }
    for batch, check, counted in demands["batches"].values():
        assert batch > 0
        assert check in todo.checks.values()
        assert counted


@pytest.mark.slow
@pytest.mark.parametrize("fault", ["batch", "brought"])
def test_the_dag_stops_before_the_first_training(fault, snakemake, tmp_path):
    demo = load(PROJECT / "config/demo.yaml")
    config = demo | {"data": SMALL, "backbones": {"baseline": {}}}
    config["pretrain"] = demo["pretrain"] | {"batch": 2}
    config["tasks"] = {"ssd_voc": demo["tasks"]["ssd_voc"] | {"batch": 5 if fault == "batch" else 2}}
    if fault == "brought":
        torch.save({"w": torch.ones(1)}, tmp_path / "mine.pth")
        config["backbones"]["mine"] = {"checkpoint": "mine.pth"}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("--cores", "2", "--keep-going", "--configfile", "x.yaml", timeout=300)
    assert status != 0
    assert {"batch": "error: tasks.ssd_voc.batch: 5 is more than the 4 training samples of ",
            "brought": "error: checkpoint mine.pth is not torchvision's ResNet-50"}[fault] in said  # fmt: skip
    assert "rule pretrain:" not in said
    assert "rule import_backbone:" not in said
    assert read_json(next(tmp_path.glob("results/data/voc-*[0-9a-f].json")))["counts"]["trainval07"] == 2
