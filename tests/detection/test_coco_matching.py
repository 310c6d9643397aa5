"""COCO's matching against COCOeval itself, class by class: each array and each precision, to the last bit."""

import contextlib

import numpy as np
import pytest
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detection import coco_matching
from detection.coco_metric import Evaluated, evaluated
from detection.coco_results import Found, arrays, entries
from workflow.core.rng import rng

CATEGORIES = (2, 5, 9)


def quiet():
    return contextlib.redirect_stdout(None)


def index(**content: list) -> COCO:
    """What COCO makes of a file."""
    made = COCO()
    made.dataset = content
    with quiet():
        made.createIndex()
    return made


def by_cocoeval(found: Found, truth: COCO) -> Evaluated:
    """From `evalImgs` and `eval`; objects are numbered from 1, as a match with object 0 counts as none."""
    dataset, boxes = truth.dataset, entries(found)
    for number, one in enumerate(boxes, start=1):
        one |= {"id": number, "area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0}
    annotations = [one | {"id": number} for number, one in enumerate(dataset["annotations"], start=1)]
    outside = COCOeval(
        index(**dataset | {"annotations": annotations}), index(**dataset | {"annotations": boxes}), "bbox"
    )
    outside.params.areaRng, outside.params.areaRngLbl, outside.params.maxDets = [[0, 1e10]], ["all"], [100]
    with quiet():
        outside.evaluate()
        outside.accumulate()
    columns, truths = [], []
    each = len(outside.params.imgIds)
    for label in range(len(outside.params.catIds)):
        images = outside.evalImgs[label * each : (label + 1) * each]
        seen = [(place, one) for place, one in enumerate(images) if one]
        truths.append([np.count_nonzero(one["gtIgnore"] == 0) if one else 0 for one in images])
        scores = np.concatenate([[], *(one["dtScores"] for _, one in seen)])
        rank = np.argsort(-scores, kind="mergesort")
        image = np.repeat([place for place, _ in seen], [len(one["dtScores"]) for _, one in seen]).astype(np.int32)
        matched, left = (
            np.concatenate([np.zeros((10, 0), bool), *(one[key] != 0 for _, one in seen)], axis=1)[:, rank].T
            for key in ("dtMatches", "dtIgnore")
        )
        labels = np.full(len(rank), label, np.int32)
        columns.append((image[rank], labels, scores[rank].astype(np.float32), matched & ~left, left))
    whole = [np.concatenate(column) for column in zip(*columns, strict=True)]
    matches = dict(zip(("image", "label", "score", "hit", "left"), whole, strict=True))
    matches["truths"] = np.array(truths, dtype=np.int32).T
    return Evaluated(np.array(outside.params.imgIds), outside.eval["precision"][:, :, :, 0, 0], matches)


def crowded(seed: int, images: int = 30) -> tuple[Found, COCO]:
    """Boxes on a coarse grid, so that many are equal, and so are many overlaps; scores of one decimal; crowds, areas
    out of COCOeval's range, boxes without width, and one image with 250 detections of a class."""
    draw, objects, found = rng("crowded", seed), [], []
    ids = [int(one) for one in draw.permutation(images * 3)[:images]]
    for image in ids:
        boxes = [
            [*(10.0 * draw.integers(0, 4, 2)), *(10.0 * draw.integers(1, 5, 2))] for _ in range(draw.integers(0, 9))
        ]
        for box in boxes:
            area = [box[2] * box[3], 2e10][int(draw.random() < 0.1)]
            one = {"id": len(objects), "image_id": image, "category_id": int(draw.choice(CATEGORIES)), "bbox": box}
            objects.append(one | {"area": area, "iscrowd": int(draw.random() < 0.2)})
        for _ in range(250 if image == ids[0] else draw.integers(0, 40)):
            box = list(boxes[draw.integers(len(boxes))]) if boxes and draw.random() < 0.6 else [0.0, 0.0, 40.0, 40.0]
            box[int(draw.integers(0, 4))] += float(draw.choice([0, 0, 1, 5, -10]))
            kind = 2 if image == ids[0] else int(draw.choice(CATEGORIES))
            score = round(float(draw.random()), 1)
            found.append({"image_id": image, "category_id": kind, "bbox": [*map(float, box)], "score": score})
    found += [found[-1] | {"bbox": [0.0, 0.0, 3e5, 3e5]}, found[-1] | {"bbox": [5.0, 5.0, 0.0, 9.0]}]
    found.append(found[-1] | {"image_id": images * 3 + 1})  # of an image that is not of the test set
    listed = [{"id": image} for image in ids]
    truth = index(images=listed, annotations=objects, categories=[{"id": one} for one in CATEGORIES])
    return arrays(found), truth


@pytest.mark.parametrize("seed", range(12))
def test_each_array_is_cocoeval_s(seed):
    found, truth = crowded(seed)
    ours, theirs = evaluated(found, truth), by_cocoeval(found, truth)
    np.testing.assert_array_equal(ours.images, theirs.images)
    np.testing.assert_array_equal(ours.precision, theirs.precision)
    assert ours.matches.keys() == theirs.matches.keys()
    for key, values in theirs.matches.items():
        np.testing.assert_array_equal(ours.matches[key], values, err_msg=key)
        assert ours.matches[key].dtype == values.dtype
    assert ours.matches["hit"].any(axis=0).all()
    assert ours.matches["left"].any(axis=0).all()


def test_of_equal_overlaps_the_last_object_is_taken():
    """A detection on both halves of it; the next one, on the second half only, finds that taken."""
    halves = [[0, 0, 10, 10], [10, 0, 10, 10]]
    objects = [
        {"id": n, "image_id": 1, "category_id": 2, "bbox": box, "area": 100, "iscrowd": 0}
        for n, box in enumerate(halves)
    ]
    truth = index(images=[{"id": 1}], annotations=objects, categories=[{"id": 2}])
    one = {"image_id": 1, "category_id": 2}
    found = arrays([one | {"bbox": [0, 0, 20, 10], "score": 0.9}, one | {"bbox": halves[1], "score": 0.8}])
    for evaluation in (evaluated(found, truth), by_cocoeval(found, truth)):
        assert evaluation.matches["hit"][:, :2].tolist() == [[True, False], [False, True]]


def test_overlaps_are_pycocotools_own():
    from pycocotools import mask

    draw = rng("overlap")
    one, other = (draw.uniform(-5, 60, (300, 4)).round(2) for _ in range(2))
    other[:, 2:] = np.abs(other[:, 2:]) + 1
    one[:, 2:] = np.abs(one[:, 2:])
    crowd = draw.random(300) < 0.3
    theirs = [mask.iou(a[None], b[None], [int(c)])[0, 0] for a, b, c in zip(one, other, crowd, strict=True)]
    np.testing.assert_array_equal(coco_matching.overlap(one, other, crowd), theirs)
    assert len(set(theirs)) > 50


def test_positions_count_within_a_group():
    assert coco_matching.positions(np.array([7, 3, 7, 7, 3])).tolist() == [0, 0, 1, 2, 1]
    assert coco_matching.positions(np.zeros(0, dtype=int)).tolist() == []
