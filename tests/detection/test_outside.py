"""Whoever reads predictions.json as COCO's format says gets the record's number."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from detection.coco_metric import COCOMetric
from detection.evaluate import ground_truth
from detection.metric import VOC07Metric
from workflow.core.dataset_info import DatasetInfo
from workflow.data.coco import NAMES, annotation_file

from . import outside


def near(boxes: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Six guesses at each box (n, 4), moved by about a third of its width: where a pixel decides about an overlap of a
    half."""
    width = np.tile(boxes[:, 2] - boxes[:, 0], 6)
    shift = (1 / 3 + draw.normal(0, 0.02, len(width))) * width * draw.choice([-1, 1], len(width))
    return (np.tile(boxes, (6, 1)) + shift[:, None] * [1, 0, 1, 0]).astype(np.float32)


def sample(image, boxes: np.ndarray, labels: np.ndarray, draw: np.random.Generator, **more) -> dict:
    """What mmdet hands to a metric."""
    found = near(boxes, draw)
    parts = {"bboxes": found, "scores": draw.random(len(found)), "labels": np.tile(labels, 6)}
    return {"img_id": image, "pred_instances": {key: torch.from_numpy(part) for key, part in parts.items()}, **more}


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("as_devkit", [False, True])
def test_voc(voc, tmp_path, seed, as_devkit):
    check, draw = DatasetInfo.read(voc.check), np.random.default_rng(seed)
    metric = VOC07Metric(str(tmp_path))
    metric.dataset_meta = {"classes": check.classes}
    for name, one in zip(*ground_truth(check), strict=True):
        kinds = {"gt_instances": "", "ignored_instances": "_ignore"}
        truth = {
            where: {key: torch.from_numpy(one[f"{key}{kind}"]) for key in ("bboxes", "labels")}
            for where, kind in kinds.items()
        }
        metric.process(None, [sample(name, one["bboxes"], one["labels"], draw, **truth)])
    record = metric.compute_metrics(metric.results)
    found = outside.voc(tmp_path / "predictions.json", Path(check.root), check.classes, as_devkit)
    assert found == pytest.approx(record["mAP"], abs=1e-4)
    assert 10 < found < 95


@pytest.mark.parametrize("seed", range(4))
def test_coco(coco, tmp_path, seed):
    draw, metric = np.random.default_rng(seed), COCOMetric(str(coco.root), str(tmp_path))
    truth = json.loads(annotation_file(coco.root, NAMES["test"], "instances").read_text())
    labels = {category["id"]: number for number, category in enumerate(truth["categories"])}
    for image in truth["images"]:
        mine = [one for one in truth["annotations"] if one["image_id"] == image["id"]]
        boxes = np.array([outside.continuous(one) for one in mine], dtype=np.float64).reshape(-1, 4)
        which = np.array([labels[one["category_id"]] for one in mine], dtype=np.int64)
        metric.process(None, [sample(image["id"], boxes, which, draw)])
    record = metric.compute_metrics(metric.results)
    found = outside.coco(tmp_path / "predictions.json", coco.root)
    assert found == pytest.approx([record["AP"], record["AP50"]], abs=1e-4)
    assert 2 < found[0] < found[1] < 95
