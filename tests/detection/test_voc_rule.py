"""VOC's AP against the devkit's rule (VOCevaldet.m and VOCap.m of VOC2007 and VOC2012), written here in plain Python
and double precision, against mmdet's own `eval_map`, and against pycocotools."""

import numpy as np
import pytest
from mmdet.evaluation.functional import eval_map

from detection.coco_results import arrays
from detection.metric import decisive, match, score

from .generated import world

CLASSES = ["never found", "a", "b", "c", "difficult", "absent"]


def overlap(one: list[float], other: list[float]) -> float:
    """IoU of two boxes as x1 y1 x2 y2 whose last pixel belongs to them."""
    width = min(one[2], other[2]) - max(one[0], other[0]) + 1
    height = min(one[3], other[3]) - max(one[1], other[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(box[2] - box[0] + 1) * (box[3] - box[1] + 1) for box in (one, other)]
    return width * height / (sum(areas) - width * height)


def devkit(ids: list[int], truth: list[dict], found: list[dict], label: int) -> tuple[float, float] | None:
    """The 11-point and the area AP of a class, as the devkit has them; None if it has no object that counts."""
    records = {}
    for image, one in zip(ids, truth, strict=True):
        kinds = [one[f"bboxes{kind}"][one[f"labels{kind}"] == label].tolist() for kind in ("", "_ignore")]
        pairs = [(box, difficult) for difficult, boxes in enumerate(kinds) for box in boxes]
        records[image] = [[box, difficult, False] for box, difficult in pairs]  # the last: whether it is detected
    positives = sum(not difficult for objects in records.values() for _, difficult, _ in objects)
    recall, precision, right, wrong = [], [], 0, 0
    for one in sorted((one for one in found if one["category_id"] == label + 1), key=lambda one: -one["score"]):
        x, y, width, height = one["bbox"]
        best, most = None, -1.0
        for record in records[one["image_id"]]:
            if (share := overlap([x, y, x + width - 1, y + height - 1], record[0])) > most:
                best, most = record, share
        if most < 0.5:
            wrong += 1
        elif not best[1]:
            right, wrong = right + (not best[2]), wrong + best[2]
            best[2] = True
        recall.append(right / positives if positives else 0)
        precision.append(right / (right + wrong) if right + wrong else 0)
    return (eleven(recall, precision), area(recall, precision)) if positives else None


def eleven(recall: list[float], precision: list[float]) -> float:
    """VOC2007's: the mean of the best precision at recall 0, 0.1 ... 1, the levels as numpy counts them."""
    levels = np.arange(0, 1.05, 0.1)  # so 0.3, 0.6 and 0.7 are a rounding above 3/10 ...; in MATLAB only the first is
    return sum(max((p for r, p in zip(recall, precision, strict=True) if r >= t), default=0) for t in levels) / 11


def area(recall: list[float], precision: list[float]) -> float:
    """VOC2010's and later: the area under the falling envelope."""
    whole, before = 0.0, 0.0
    for place, r in enumerate(recall):
        whole += (r - before) * max(precision[place:])
        before = r
    return whole


@pytest.mark.parametrize("digits", [2, 1, 6])
@pytest.mark.parametrize("seed", range(8))
def test_both_rules_are_the_devkits(seed, digits):
    ids, truth, found = world(seed, 25, len(CLASSES), digits)
    result = score(match(arrays(found), ids, truth, len(CLASSES)), CLASSES)
    expected = [devkit(ids, truth, found, label) for label in range(len(CLASSES))]
    each = [None if both is None else 100 * both[0] for both in expected]
    assert list(result["per_class"].values()) == pytest.approx(each, abs=1e-4)
    assert each[0] == 0
    assert each[-2:] == [None, None]
    present = np.array([both for both in expected if both])
    assert [result["mAP"], result["mAP_area"]] == pytest.approx((100 * present.mean(axis=0)).tolist(), abs=1e-4)
    assert 5 < result["mAP"] < 90


def test_the_order_of_equal_scores_is_that_of_the_file():
    ids, truth, found = world(0, 12, len(CLASSES), digits=0)  # all scores are 0 or 1
    numbers = set()
    for step in (1, -1):
        turned = [one for image in ids for one in [one for one in found if one["image_id"] == image][::step]]
        result = score(match(arrays(turned), ids, truth, len(CLASSES)), CLASSES)
        expected = [devkit(ids, truth, turned, label) for label in range(len(CLASSES))]
        assert result["mAP"] == pytest.approx(100 * np.mean([both[0] for both in expected if both]), abs=1e-4)
        numbers.add(result["mAP"])
    assert len(numbers) == 2, "the order matters here, so the test can fail"


def test_without_equal_scores_mmdets_eval_map_has_the_same_bits():
    ids, truth, found = world(1, 40, len(CLASSES), digits=6)
    tables = []
    for image in ids:
        mine = [(one["category_id"] - 1, *one["bbox"], one["score"]) for one in found if one["image_id"] == image]
        rows = [
            [(x, y, x + w - 1, y + h - 1, s) for c, x, y, w, h, s in mine if c == label]
            for label in range(len(CLASSES))
        ]
        tables.append([np.array(row, dtype=np.float32).reshape(-1, 5) for row in rows])
    for mode, key in (("11points", "mAP"), ("area", "mAP_area")):
        how = {"iou_thr": 0.5, "eval_mode": mode, "use_legacy_coordinate": True, "logger": "silent", "nproc": 1}
        mean, _ = eval_map(tables, truth, dataset=tuple(CLASSES), **how)
        assert score(match(arrays(found), ids, truth, len(CLASSES)), CLASSES)[key] == 100 * mean


def one_image(boxes: list, hard: list, given: list) -> dict:
    """The arrays for one image of one class; `given` are boxes as x1 y1 x2 y2, the best first."""
    where, hard = np.array(boxes, dtype=np.float32).reshape(-1, 4), np.array(hard, dtype=bool)
    parts = {f"bboxes{kind}": where[which] for kind, which in (("", ~hard), ("_ignore", hard))}
    parts |= {f"labels{kind}": np.zeros(sum(which), dtype=int) for kind, which in (("", ~hard), ("_ignore", hard))}
    found = [
        {"image_id": 1, "category_id": 1, "bbox": [x, y, right - x + 1, bottom - y + 1], "score": 1 - place / 10}
        for place, (x, y, right, bottom) in enumerate(given)
    ]
    return match(arrays(found), [1], [parts], 1)


def test_the_last_pixel_belongs_to_a_box():
    matches = one_image([[10, 10, 19, 19]], [False], [[10, 10, 19, 14]])  # 5 of 10 rows; without the last, 4 of 9
    assert matches["hit"].tolist() == [[True]]


def test_a_second_detection_of_an_object_is_wrong_and_of_a_difficult_one_nothing():
    a, b = [10, 10, 40, 40], [60, 10, 95, 50]
    matches = one_image([a, b], [False, True], [a, b, a, b])
    assert matches["hit"].ravel().tolist() == [True, False, False, False]
    assert matches["left"].ravel().tolist() == [False, True, False, True]
    assert matches["truths"].tolist() == [[1]]


@pytest.mark.parametrize("seed", range(4))
def test_below_the_last_hit_nothing_counts_in_any_resample(seed):
    ids, truth, found = world(seed, 20, len(CLASSES))
    draw = np.random.default_rng(seed)
    whole = match(arrays(found), ids, truth, len(CLASSES))
    short = decisive(whole)
    assert 0 < len(short["label"]) < len(whole["label"])
    for _ in range(20):
        chosen = draw.integers(0, len(ids), len(ids))
        results = []
        for one in (whole, short):
            order = [row for row in range(len(one["image"])) for _ in range(sum(chosen == one["image"][row]))]
            again = {key: value[order] for key, value in one.items() if key != "truths"}
            results.append(score(again | {"truths": one["truths"][chosen]}, CLASSES))
        assert results[0] == results[1]
