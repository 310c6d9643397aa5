"""VOC's rule for all images and classes at once against mmdet's `tpfp_default`, image by image."""

import numpy as np
import pytest
from mmdet.evaluation.functional.mean_ap import tpfp_default

from detection.matching import judge, objects

IMAGES, CLASSES = 30, 3


def boxes(draw: np.random.Generator, count: int) -> np.ndarray:
    """Whole pixels on a small grid: many overlap alike, many by just a half."""
    corners = draw.integers(0, 4, (count, 2)) * 5
    return np.concatenate([corners, corners + draw.integers(1, 4, (count, 2)) * 5 - 1], axis=1).astype(np.float32)


def annotation(draw: np.random.Generator) -> dict:
    count, hard = draw.integers(0, 8), draw.integers(0, 4)
    return {
        **{"bboxes": boxes(draw, count), "labels": draw.integers(0, CLASSES, count)},
        **{"bboxes_ignore": boxes(draw, hard), "labels_ignore": draw.integers(0, CLASSES, hard)},
    }


@pytest.mark.parametrize("seed", range(20))
def test_each_detection_is_judged_as_by_mmdet(seed):
    draw = np.random.default_rng(seed)
    truth = [annotation(draw) for _ in range(IMAGES)]
    image, label, found = draw.integers(0, IMAGES, 1200), draw.integers(0, CLASSES, 1200), boxes(draw, 1200)
    found[::2] += draw.normal(0, 1, (600, 4)).astype(np.float32)
    hit, left = judge(image * CLASSES + label, found, objects(truth, CLASSES))
    for group in range(IMAGES * CLASSES):
        place, which = divmod(group, CLASSES)
        rows = np.flatnonzero((image == place) & (label == which))
        falling = -np.arange(len(rows), dtype=np.float32)[:, None]
        one = truth[place]
        of_class = [one[f"bboxes{kind}"][one[f"labels{kind}"] == which] for kind in ("", "_ignore")]
        table = np.hstack([found[rows], falling])
        right, wrong = tpfp_default(table, *of_class, 0.5, use_legacy_coordinate=True)
        assert hit[rows].tolist() == (right[0] > 0).tolist()
        assert left[rows].tolist() == ((right[0] == 0) & (wrong[0] == 0)).tolist()
    assert set(zip(hit.tolist(), left.tolist(), strict=True)) == {(True, False), (False, True), (False, False)}


def test_without_objects_all_is_wrong_and_without_detections_there_is_nothing():
    empty = {key: np.zeros((0, *tail)) for key, tail in (("bboxes", (4,)), ("bboxes_ignore", (4,)))}
    empty |= {key: np.zeros(0, dtype=int) for key in ("labels", "labels_ignore")}
    none = objects([empty], 1)
    hit, left = judge(np.zeros(3, dtype=int), boxes(np.random.default_rng(0), 3), none)
    assert not hit.any()
    assert not left.any()
    some = objects([empty | {"bboxes": np.ones((1, 4)), "labels": np.zeros(1, dtype=int)}], 1)
    assert [len(part) for part in judge(np.zeros(0, dtype=int), np.zeros((0, 4), np.float32), some)] == [0, 0]
