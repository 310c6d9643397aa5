"""The VOC metric: its two rules, difficult objects, any class list, and the COCO results that it is computed from."""

import json

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detection import metric
from detection.coco_results import arrays, detections, entries
from detection.evaluate import evaluate, ground_truth
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError

CLASSES = ["kite", "zebra"]  # not VOC's


def score(found: list[dict], images: list[int], truth: list[dict], classes: list[str]) -> dict:
    return metric.score(metric.match(arrays(found), images, truth, len(classes)), classes)


def truth(boxes: list, labels: list, hard: list | None = None) -> dict:
    """mmdet's annotation of an image."""
    hard = np.array(hard or [False] * len(boxes), dtype=bool)
    where, what = np.array(boxes, dtype=np.float32).reshape(-1, 4), np.array(labels, dtype=np.int64)
    return {"bboxes": where[~hard], "labels": what[~hard], "bboxes_ignore": where[hard], "labels_ignore": what[hard]}


def detected(image: int, boxes: list, labels: list, scores: list) -> list[dict]:
    corners = metric.whole_pixels(np.array(boxes, dtype=np.float32).reshape(-1, 4))
    return entries(detections(image, corners, np.array(scores), np.array(labels)))


A, B, FAR = [10, 10, 40, 40], [60, 10, 95, 50], [0, 60, 20, 90]


def test_perfect_detections_score_100():
    images = [truth([A, B], [0, 1]), truth([FAR], [0])]
    result = score(detected(1, [A, B], [0, 1], [0.9, 0.8]) + detected(2, [FAR], [0], [0.7]), [1, 2], images, CLASSES)
    assert result == {"mAP": 100, "mAP_area": 100, "per_class": {"kite": 100, "zebra": 100}}


def test_half_the_objects_found_tells_the_two_rules_apart():
    images = [truth([A], [0]), truth([FAR], [0])]
    result = score(detected(1, [A], [0], [0.9]), [1, 2], images, CLASSES)
    assert result["mAP"] == pytest.approx(100 * 6 / 11, abs=1e-4)  # recall 0, 0.1 ... 0.5 at precision 1; unrounded
    assert result["mAP_area"] == pytest.approx(50)
    assert result["per_class"]["zebra"] is None  # in no test image, so in no mean


def test_a_false_detection_costs():
    images = [truth([A], [0]), truth([], [])]
    sure = score(detected(1, [A, FAR], [0, 0], [0.5, 0.9]), [1, 2], images, CLASSES)
    assert sure["mAP"] == pytest.approx(50, abs=1e-4)


def test_a_difficult_object_is_neither_missed_nor_found():
    easy, hard = truth([A], [0]), truth([A, B], [0, 0], [False, True])
    alone = detected(1, [A], [0], [0.5])
    also = detected(1, [A, B], [0, 0], [0.5, 0.9])
    for annotation, results in ((hard, alone), (hard, also)):
        assert score(results, [1], [annotation], CLASSES)["mAP"] == pytest.approx(100)
    assert score(also, [1], [easy], CLASSES)["mAP"] < 60  # without the difficult object there, a false detection


def test_no_detection_at_all_scores_0():
    assert score([], [1, 2], [truth([A], [0]), truth([B], [1])], CLASSES)["mAP"] == 0


@pytest.mark.parametrize(("width", "right"), [(4.99, 0), (5, 1), (10, 1), (20, 1), (20.01, 0)])
def test_a_box_of_ten_pixels_is_ten_wide(width, right):
    """The truth names its last pixel, COCO's boxes end behind it: half of either overlaps, and no more is needed."""
    one = arrays([{"image_id": 1, "category_id": 1, "bbox": [3, 4, width, 10], "score": 0.9}])
    assert metric.match(one, [1], [truth([[3, 4, 12, 13]], [0])], 1)["hit"].tolist() == [[bool(right)]]


@pytest.mark.parametrize("images", [[1, 2], [2, 1]])
def test_equal_scores_count_in_the_order_of_the_images(images):
    """Not in that in which their detections were found."""
    annotations = [truth([A], [0]), truth([], [])]
    parts = [detected(images[0], [A], [0], [0.9]), detected(images[1], [FAR], [0], [0.9])]
    for several in (parts, parts[::-1]):
        assert score([*several[0], *several[1]], images, annotations, CLASSES)["mAP"] == pytest.approx(100)


def test_coco_form():
    (one,) = detected(7, [[10.123, 20, 30.5, 60]], [1], [0.1234567])
    assert one == {"image_id": 7, "category_id": 2, "bbox": [10.12, 20.0, 21.38, 41.0], "score": 0.123457}


@pytest.fixture
def exact(voc, tmp_path):
    """The truth of the test set written down as detections; difficult objects are not among them."""
    check = DatasetInfo.read(voc.check)
    ids, annotations = ground_truth(check)
    results = []
    for image, one in zip(ids, annotations, strict=True):
        scores = np.linspace(0.9, 0.5, len(one["labels"]))
        results += entries(detections(image, metric.whole_pixels(one["bboxes"]), scores, one["labels"]))
    path = tmp_path / "predictions.json"
    path.write_text(json.dumps(results))
    return path, check, ids


def test_evaluate_scores_a_file(exact):
    path, check, _ = exact
    assert evaluate(path, check)["mAP"] == pytest.approx(100)
    path.write_text(json.dumps(json.loads(path.read_text())[::2]))
    assert 0 < evaluate(path, check)["mAP"] < 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{", "not COCO detection results: JSONDecodeError"),
        ('[{"image_id": 2}]', "not COCO detection results: KeyError: 'category_id'"),
        (
            '[{"image_id": 2, "category_id": 1, "bbox": [1, 2, 3], "score": 1}]',
            "detection 0: bbox must be four numbers",
        ),
        ('[{"image_id": 2, "category_id": 1, "bbox": [1, 2, 3, NaN], "score": 1}]', "detection 0: bbox must be four"),
        ('[{"image_id": 99, "category_id": 1}]', "detection 0: image_id 99 is no test image"),
        ('[{"image_id": 2, "category_id": 5}]', "detection 0: category_id 5 is no class"),
    ],
)
def test_evaluate_names_what_is_wrong(exact, content, message):
    path, check, _ = exact
    path.write_text(content)
    with pytest.raises(UserError, match=message):
        evaluate(path, check)


def test_pycocotools_reads_and_scores_the_same_file(exact):
    path, check, ids = exact
    annotations, number = [], 1
    for image, one in zip(ids, ground_truth(check)[1], strict=True):
        for label, (x, y, right, bottom) in zip(one["labels"], one["bboxes"].tolist(), strict=True):
            box = [x, y, right - x + 1, bottom - y + 1]
            annotations.append({"id": number, "image_id": image, "category_id": int(label) + 1, "bbox": box})
            annotations[-1] |= {"area": box[2] * box[3], "iscrowd": 0}
            number += 1
    coco = COCO()
    coco.dataset = {
        "images": [{"id": image} for image in ids],
        "categories": [{"id": i, "name": name} for i, name in enumerate(check.classes, 1)],
        "annotations": annotations,
    }
    coco.createIndex()
    outside = COCOeval(coco, coco.loadRes(str(path)), "bbox")
    outside.evaluate()
    outside.accumulate()
    outside.summarize()
    assert outside.stats[1] == pytest.approx(1)  # AP50
