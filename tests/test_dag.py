"""The whole workflow, from data to report, through the real Snakemake with tiny budgets: once on drawn data with every
kind of backbone, once on real photos in the official layouts (REALMINI names their folder)."""

import csv
import json
import math
import os
from pathlib import Path

import pytest
import yaml

from workflow.config import load, overlay
from workflow.plan import Plan, plan

pytestmark = pytest.mark.slow

DEMO = load(Path(__file__).parents[1] / "config/demo.yaml")
TINY = {
    "pretrain": {"epochs": 1, "batch": 8, "warmup": 1, "steps": []},
    "tasks": {
        "ssd_voc": {"iterations": 3, "batch": 2, "warmup": 1, "steps": [2], "size": 96},
        "faster_rcnn_voc": {
            **{"iterations": 3, "batch": 2, "warmup": 1, "steps": [2], "short_side": 96, "long_side": 96},
            **{"rois": 8, "proposals": {"train": 32, "test": 16}},
        },
        "nic_coco": {"epochs": 1, "resize": 64, "crop": 48, "views": 1, "threshold": 2, "beam": 3},
    },
}
DRAWN = {
    "imagenet": {"synthetic": {"classes": 4, "train": 32, "val": 12, "size": 48, "seed": 0}},
    "voc": {"synthetic": {"classes": 4, "trainval07": 6, "trainval12": 6, "test07": 6, "size": 96, "seed": 0}},
    "coco": {"synthetic": {"classes": 4, "train": 12, "val": 6, "size": 64, "seed": 0}, "split": "2014"},
}


def cells(todo: Plan, folder: Path) -> dict[tuple[str, str, str], float]:
    """(backbone, task, metric) to the mean of transfer.csv; only what was not pretrained here may lack that score."""
    untrained = {run.backbone for run in todo.runs if run.origin != "pretrained"}
    with (folder / todo.report[0]).open() as file:
        rows = {(row["backbone"], row["task"], row["metric"]): row["mean"] for row in csv.DictReader(file)}
    assert all(mean or (task == "pretrain" and name in untrained) for (name, task, _), mean in rows.items())
    return {cell: float(mean) for cell, mean in rows.items() if mean}


def check_results(todo: Plan, folder: Path) -> None:
    """Every planned run left its record, every cell is a finite number, nothing half-done is left."""
    for run in todo.runs:
        record = json.loads((folder / run.record).read_text())
        assert (record["task"], record["backbone"], record["seeds"]) == (run.task, run.backbone, run.seeds)
        assert record["provenance"]["recipe"]
        assert (folder / run.weights).is_file()
        assert (folder / run.record).with_name("log.txt").is_file()
    found = cells(todo, folder)
    metrics = {
        "ssd_voc": {"mAP"},
        "faster_rcnn_voc": {"mAP"},
        "nic_coco": {"BLEU-1", "BLEU-4", "METEOR", "ROUGE_L", "CIDEr"},
    }
    for backbone in todo.backbones:
        for task, names in metrics.items():
            assert names <= {metric for b, t, metric in found if (b, t) == (backbone, task)}
    assert all(math.isfinite(value) for value in found.values())
    assert all((folder / file).stat().st_size > 0 for file in todo.report)
    assert not list((folder / ".work").glob("*")), "the state of a finished run is removed"


def run_dag(config: dict, snakemake, folder: Path) -> None:
    """Run it, check what it leaves, and see that a second call does nothing."""
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("--cores", "2", "--configfile", "tiny.yaml", timeout=1500)
    assert status == 0, said[-5000:]
    check_results(plan(config), folder)
    status, said = snakemake("--cores", "2", "--configfile", "tiny.yaml")
    assert status == 0
    assert "Nothing to be done" in said


def test_drawn_data_with_every_kind_of_backbone(snakemake, tmp_path, monkeypatch):
    import torch
    from torchvision.models import resnet50

    monkeypatch.chdir(tmp_path)
    torch.save(resnet50().state_dict(), "brought.pth")
    rows = {name: DEMO["backbones"][name] for name in ("baseline", "cutmix")}
    rows |= {"scratch": {"init": "random"}, "brought": {"checkpoint": "brought.pth", "preprocessing": "imagenet"}}
    run_dag(overlay(DEMO, TINY) | {"experiment": "tiny", "data": DRAWN, "backbones": rows}, snakemake, tmp_path)


@pytest.mark.skipif("REALMINI" not in os.environ, reason="REALMINI does not name a folder of real photos")
def test_real_photos(snakemake, tmp_path, monkeypatch):
    root = Path(os.environ["REALMINI"]).resolve()
    monkeypatch.chdir(tmp_path)
    data = {
        "imagenet": {"root": f"{root}/imagenet"},
        "voc": {"root": f"{root}/VOCdevkit", "classes": "voc"},
        "coco": {"root": f"{root}/coco", "split": "2014"},
    }
    rows = {name: DEMO["backbones"][name] for name in ("baseline", "mixup", "cutout", "cutmix")}
    tiny = overlay(overlay(DEMO, TINY), {"pretrain": {"batch": 50}})  # 2,000 photos
    run_dag(tiny | {"experiment": "real", "data": data, "backbones": rows}, snakemake, tmp_path)
