"""COCO's scores against pycocotools called as its authors do, and the evidence against a plain loop."""

import contextlib
import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detection import metric
from detection.average_precision import Detections
from detection.coco_metric import COCOMetric, evaluated, ground_truth, score
from detection.coco_results import arrays, entries
from detection.evaluate import evaluate
from detection.metric import keep
from detection.task import RESAMPLING
from tests.checks import info
from workflow.core.errors import UserError
from workflow.reporting.statistics.per_image import read

from .generated import world

IDS = (9, 2, 5, 77, 30, 31)  # of the categories, as a file may list them
NAMES = {identity: f"class {identity}" for identity in IDS}
CLASSES = [NAMES[identity] for identity in sorted(IDS)]


def coco_world(root, seed: int, apart: bool = False, hard: float = 0.2) -> list[dict]:
    """Write the truth of a generated world in COCO's layout, difficult objects as crowds; its detections.

    Objects are numbered from 0. VOC's boxes name their last pixel, COCO's end behind it.
    """
    ids, truth, found = world(seed, 25, len(IDS), apart=apart, hard=hard)
    annotations = []
    for image, one in zip(ids, truth, strict=True):
        for crowd, kind in enumerate(("", "_ignore")):
            for box, label in zip(one[f"bboxes{kind}"].tolist(), one[f"labels{kind}"].tolist(), strict=True):
                x, y, width, height = box[0], box[1], box[2] - box[0] + 1, box[3] - box[1] + 1
                where = {"id": len(annotations), "image_id": image, "category_id": sorted(IDS)[label]}
                annotations.append(where | {"bbox": [x, y, width, height], "area": width * height, "iscrowd": crowd})
    images = [{"id": image, "file_name": f"{image}.jpg", "width": 600, "height": 600} for image in ids[::-1]]
    categories = [{"id": identity, "name": name} for identity, name in NAMES.items()]
    (root / "annotations").mkdir(exist_ok=True)
    content = {"images": images, "annotations": annotations, "categories": categories}
    (root / "annotations/instances_val2014.json").write_text(json.dumps(content))
    for one in found:
        one["category_id"] = sorted(IDS)[one["category_id"] - 1]
    return found


def by_pycocotools(root, found: list[dict]) -> list[float]:
    """AP, AP50 and AP75 by `summarize`; objects are numbered from 1, which COCOeval counts on."""
    content = json.loads((root / "annotations/instances_val2014.json").read_text())
    for one in content["annotations"]:
        one["id"] += 1
    (root / "from1.json").write_text(json.dumps(content))
    (root / "found.json").write_text(json.dumps(found))
    with contextlib.redirect_stdout(None):
        truth = COCO(root / "from1.json")
        outside = COCOeval(truth, truth.loadRes(str(root / "found.json")), "bbox")
        outside.evaluate()
        outside.accumulate()
        outside.summarize()
    return [100 * value for value in outside.stats[:3]]


def average_precision(evidence: dict, label: int, threshold: int) -> float | None:
    """COCO's of a class at a threshold, from the arrays alone: mean of the envelope at recall 0, 0.01 ... 1."""
    objects = int(evidence["truths"][:, label].sum())
    if not objects:
        return None
    right = wrong = 0
    curve = []
    for row in np.flatnonzero(evidence["label"] == label):
        hit, left = evidence["hit"][row, threshold], evidence["left"][row, threshold]
        right, wrong = right + bool(hit), wrong + (not hit and not left)
        curve.append((right / objects, right / max(right + wrong, 1)))
    levels = np.linspace(0, 1, 101)
    return 100 * sum(max((p for r, p in curve if r >= level), default=0) for level in levels) / 101


@pytest.mark.parametrize("seed", range(6))
def test_the_numbers_are_pycocotools_own_to_the_last_bit(tmp_path, seed):
    found = coco_world(tmp_path, seed)
    ours = score(evaluated(arrays(found), ground_truth(tmp_path)), CLASSES)
    assert [ours["AP"], ours["AP50"], ours["AP75"]] == by_pycocotools(tmp_path, found)
    assert 0 < min(ours["AP75"], ours["AP"]) < ours["AP50"] < 90
    assert ours["per_class"][CLASSES[0]] == 0, "never found"
    assert ours["per_class"][CLASSES[-2]] is None, "crowds alone"
    assert ours["per_class"][CLASSES[-1]] is None, "no object"


@pytest.mark.parametrize("seed", range(4))
def test_the_record_follows_from_the_evidence(tmp_path, seed):
    found = coco_world(tmp_path, seed)
    evaluation = evaluated(arrays(found), ground_truth(tmp_path))
    keep(tmp_path, arrays(found), evaluation.images, evaluation.matches)
    with np.load(tmp_path / "per_image.npz", allow_pickle=False) as file:
        evidence = dict(file)
    record = score(evaluation, CLASSES)
    table = [[average_precision(evidence, label, t) for t in range(10)] for label in range(len(CLASSES))]
    present = np.array([row for row in table if row[0] is not None])
    assert record["AP"] == pytest.approx(present.mean())
    assert [record["AP50"], record["AP75"]] == pytest.approx([present[:, 0].mean(), present[:, 5].mean()])
    each = [None if row[0] is None else np.mean(row) for row in table]
    assert list(record["per_class"].values()) == pytest.approx(each)
    undrawn = Detections(read(tmp_path / "per_image.npz", (RESAMPLING,)).arrays)(np.ones((25, 1), dtype=np.int32))
    assert {key: value.item() for key, value in undrawn.items()} == pytest.approx(
        {key: record[key] for key in ("AP", "AP50", "AP75")}
    )
    assert evidence["images"].tolist() == sorted(7 * i + 3 for i in range(25))
    assert evidence["hit"].shape == evidence["left"].shape == (len(evidence["score"]), 10)
    assert [evidence[key].dtype.name for key in ("image", "label", "score", "truths")] == [
        *("int32", "int32", "float32", "int32")
    ]


@pytest.mark.parametrize("seed", range(4))
def test_voc_s_area_rule_and_ap50_differ_by_the_sampling_alone(tmp_path, seed):
    """Both match the same objects where these lie apart (of two that overlap, a duplicate is VOC's error and may be
    COCO's hit on the second). Then 101 samples of the envelope are within one point of its area: it falls from at most
    1 in steps of 1/100."""
    ids, truth, found = world(seed, 25, len(IDS), apart=True, hard=0)
    voc = metric.match(arrays(found), ids, truth, len(IDS))
    coco = evaluated(arrays(coco_world(tmp_path, seed, True, 0)), ground_truth(tmp_path))
    for key in ("image", "label", "score", "truths"):
        np.testing.assert_array_equal(voc[key], coco.matches[key])
    np.testing.assert_array_equal(voc["hit"][:, 0], coco.matches["hit"][:, 0])
    assert 0 < abs(score(coco, CLASSES)["AP50"] - metric.score(voc, CLASSES)["mAP_area"]) < 1


def test_what_is_found_in_a_crowd_is_left_out(tmp_path):
    coco_world(tmp_path, 0)
    path = tmp_path / "annotations/instances_val2014.json"
    content = json.loads(path.read_text())
    one = {"image_id": 3, "category_id": 9, "area": 100, "iscrowd": 0}
    content["annotations"] = [one | {"id": 0, "bbox": [0, 0, 10, 10]}, one | {"id": 1, "bbox": [200, 0, 80, 80]}]
    content["annotations"][1]["iscrowd"] = 1
    path.write_text(json.dumps(content))
    boxes = [[210, 10, 20, 20], [240, 40, 20, 20], [0, 0, 10, 10], [0, 0, 10, 10], [100, 100, 9, 9]]
    found = [{"image_id": 3, "category_id": 9, "bbox": b, "score": 1 - i / 10} for i, b in enumerate(boxes)]
    matches = evaluated(arrays(found), ground_truth(tmp_path)).matches
    assert matches["left"][:, 0].tolist() == [True, True, False, False, False]
    assert matches["hit"][:, 9].tolist() == [False, False, True, False, False]
    assert matches["truths"].sum() == 1
    assert score(evaluated(arrays(found), ground_truth(tmp_path)), CLASSES)["AP"] == pytest.approx(100)


def test_no_more_than_100_detections_an_image_count(tmp_path):
    coco_world(tmp_path, 0)
    one = {"image_id": 3, "category_id": 2, "bbox": [500, 500, 9, 9]}
    found = [one | {"score": 1 - i / 1000} for i in range(130)]
    assert len(evaluated(arrays(found), ground_truth(tmp_path)).matches["score"]) == 100


def test_nothing_found_scores_0(tmp_path):
    coco_world(tmp_path, 0)
    evaluation = evaluated(arrays([]), ground_truth(tmp_path))
    assert {score(evaluation, CLASSES)[key] for key in ("AP", "AP50", "AP75")} == {0.0}
    assert evaluation.matches["hit"].shape == (0, 10)


def test_labels_are_the_categories_by_id(tmp_path):
    import torch

    coco_world(tmp_path, 0)
    ours = COCOMetric(str(tmp_path), str(tmp_path))
    boxes = {"bboxes": torch.tensor([[1.0, 2, 11, 22]] * 2), "scores": torch.tensor([0.9, 0.8])}
    ours.process(None, [{"img_id": 3, "pred_instances": {**boxes, "labels": torch.tensor([0, 3])}}])
    assert [one["category_id"] for one in entries(ours.results[0])] == [sorted(IDS)[0], sorted(IDS)[3]]
    assert ours.results[0]["bbox"].tolist() == [[1, 2, 10, 20]] * 2


def test_a_training_s_metric_is_that_of_all_batches_and_is_left(tmp_path):
    found = coco_world(tmp_path, 0)
    ours, expected = COCOMetric(str(tmp_path), str(tmp_path)), evaluated(arrays(found), ground_truth(str(tmp_path)))
    assert ours.compute_metrics([arrays(found[:40]), arrays(found[40:])]) == score(expected, CLASSES)
    assert json.loads((tmp_path / "predictions.json").read_text()) == found
    assert read(tmp_path / "per_image.npz", (RESAMPLING,)).images.tolist() == list(expected.images)


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"image_id": 4}, "detection 0: image_id 4 is no test image"),
        ({"category_id": 1}, "detection 0: category_id 1 is no class"),
        ({"score": None}, "not COCO detection results: TypeError"),
    ],
)
def test_evaluate_names_what_is_wrong(tmp_path, entry, message):
    coco_world(tmp_path, 0)
    good = {"image_id": 3, "category_id": 2, "bbox": [1, 2, 3, 4], "score": 0.5}
    check = info(root=str(tmp_path), classes=CLASSES)
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps([good]))
    assert evaluate(path, check)["AP"] == 0
    path.write_text(json.dumps([good | entry]))
    with pytest.raises(UserError, match=message):
        evaluate(path, check)
