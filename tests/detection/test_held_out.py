"""The choice of a detector's learning rate: its held-out photos, what scores them, the record of a whole run."""

from pathlib import Path

import numpy as np
import pytest

from backbones.backbone import IMAGENET
from detection.build_config import task
from detection.coco_metric import QuietCocoDataset, ground_truth
from detection.train import train
from detection.voc_reader import ListedVOCDataset
from tests.together import trained
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json

from .conftest import RESNET50, make_run

RATES = [1e-3, 2e-3]


def ids(config):
    kinds = {"ListedVOCDataset": ListedVOCDataset, "QuietCocoDataset": QuietCocoDataset}
    data = kinds[config["type"]](**{key: value for key, value in config.items() if key not in ("type", "pipeline")})
    return [data.get_data_info(place)["img_id"] for place in range(len(data))]


def configs(check, name, held_out):
    """Those of the training sets, and that of the test set."""
    found = task(make_run(name), DatasetInfo.read(check), IMAGENET, RESNET50, Path("unused"), held_out=held_out)
    whole = found["train_dataloader"]["dataset"]["dataset"]
    return whole.get("datasets", [whole]), found["val_dataloader"]["dataset"], found


def test_of_voc_a_tenth_of_the_first_part_is_scored_and_not_trained_on(voc):
    (first, second), test, found = configs(voc.check, "ssd_voc", True)
    (whole, other), official, _ = configs(voc.check, "ssd_voc", False)
    assert sorted(ids(first) + ids(test)) == sorted(ids(whole))
    assert (len(ids(test)), ids(second)) == (1, ids(other))
    assert set(ids(test)) & set(ids(official)) == set()
    assert test["pipeline"] == official["pipeline"], "as test images are read"
    assert found["val_evaluator"]["type"] == "VOC07Metric"


def test_of_coco_the_held_out_images_alone_are_the_truth(coco):
    (first,), test, found = configs(coco.check, "faster_rcnn_coco", True)
    (whole,), official, _ = configs(coco.check, "faster_rcnn_coco", False)
    scored = ground_truth(coco.root, held_out=True).getImgIds()
    assert sorted(ids(test)) == sorted(scored)
    assert len(scored) == 1, "of 12"
    assert sorted([*ids(first), *(one for one in scored if one in ids(whole))]) == sorted(ids(whole))
    assert set(scored) & set(ids(official)) == set()
    assert found["val_evaluator"]["held_out"] is True


@pytest.mark.parametrize("name", ["ssd_voc", "faster_rcnn_coco"])
def test_a_run_chooses_its_rate_and_says_which(name, checks, tiny, tmp_path, capsys):
    run, out = make_run(name, lr=RATES), tmp_path / "out"
    train(run, tiny, checks[name], tmp_path / "state", out)
    record = read_json(out / "metrics.json")
    tried, lr = record["chosen"]["held_out"], record["chosen"]["lr"]
    assert list(tried) == ["0.001", "0.002"]
    assert lr == min(RATES, key=lambda each: (-tried[f"{each:g}"], each))
    assert record["history"]["points"][-1]["lr"] == pytest.approx(lr / 10), "after its milestone"
    metric = "mAP" if name == "ssd_voc" else "AP"
    assert record["protocol"]["lr"] == f"best of 2 by {metric} on held-out training images"
    assert read_json(out / "config.json")["recipe"]["lr"] == RATES, "the recipe is the sweep, for every row"
    one = tmp_path / "one"
    train(make_run(name, lr=lr), tiny, checks[name], tmp_path / "state", one)
    assert (one / "predictions.json").read_bytes() == (out / "predictions.json").read_bytes(), "as with this rate alone"
    assert np.isfinite(list(tried.values())).all()


@pytest.mark.slow
def test_two_processes_choose_as_one_does(voc, tiny, tmp_path):
    run = make_run("ssd_voc", lr=RATES)
    train(run, tiny, voc.check, tmp_path / "state", tmp_path / "out")
    mine = read_json(tmp_path / "out/metrics.json")["chosen"]
    theirs = trained("detection", run, tmp_path / "two", **{"dataset-info": voc.check}, backbone=tiny)["chosen"]
    assert theirs["lr"] == mine["lr"]
    assert theirs["held_out"] == pytest.approx(mine["held_out"], abs=5)
