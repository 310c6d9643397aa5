"""SSD's random crop: what it may return, and that image and boxes stay together."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from detection.crop import SSDCrop, holds_centre, overlaps

BOXES = np.array([[10, 10, 40, 40], [60, 30, 110, 90], [100, 5, 118, 20]], dtype=np.float32)


def sample() -> dict:
    """An image whose pixels hold their own coordinates, and three boxes."""
    y, x = np.mgrid[:100, :120]
    return {
        "img": np.stack([x, y, x * 0], axis=2).astype(np.float32),
        "img_shape": (100, 120),
        "gt_bboxes": HorizontalBoxes(torch.tensor(BOXES)),
        "gt_bboxes_labels": np.array([0, 1, 2]),
        "gt_ignore_flags": np.array([False, True, False]),
    }


def crops(minimum: float, count: int = 60) -> list[dict]:
    np.random.seed(0)
    crop = SSDCrop(min_ious=(minimum,))
    crop.sample_mode = (minimum,)
    return [crop.transform(sample()) for _ in range(count)]


@pytest.mark.parametrize("minimum", [0, 0.1, 0.3, 0.5])
def test_a_crop_overlaps_one_object_enough_and_keeps_its_shape(minimum):
    for found in crops(minimum):
        height, width = found["img"].shape[:2]
        left, top = found["img"][0, 0, :2]
        where = np.array([[left, top, left + width, top + height]])
        assert overlaps(where, BOXES).max() >= minimum
        assert holds_centre(where, BOXES).any()
        assert found["img_shape"] == (height, width)
        assert 0.29 * 120 - 1 <= width <= 120
        assert 0.29 * 100 - 1 <= height <= 100
        assert 0.45 <= height / width <= 2.2  # 0.5 to 2 before the sides are cut to whole pixels


def test_boxes_labels_and_flags_follow_the_pixels():
    for found in crops(0.1):
        height, width = found["img"].shape[:2]
        left, top = found["img"][0, 0, :2]
        kept = holds_centre(np.array([[left, top, left + width, top + height]]), BOXES)[0]
        moved = BOXES[kept] - [left, top, left, top]
        expected = np.clip(moved, 0, [width, height, width, height])
        np.testing.assert_allclose(found["gt_bboxes"].tensor.numpy(), expected)
        assert found["gt_bboxes_labels"].tolist() == np.flatnonzero(kept).tolist()
        assert found["gt_ignore_flags"].tolist() == [flag for flag, k in zip([0, 1, 0], kept, strict=True) if k]


def test_the_whole_image_is_one_of_the_choices():
    np.random.seed(0)
    shapes = [SSDCrop().transform(sample())["img_shape"] for _ in range(300)]
    assert 0.05 < np.mean([shape == (100, 120) for shape in shapes]) < 0.4  # one mode in seven


def test_draws_follow_numpys_seed():
    one, other = ([found["img_shape"] for found in crops(0.3, 10)] for _ in range(2))
    assert one == other


def test_an_image_without_objects_comes_back_whole():
    empty = sample() | {"gt_bboxes": HorizontalBoxes(torch.zeros(0, 4))}
    np.random.seed(0)
    assert SSDCrop().transform(empty)["img_shape"] == (100, 120)


def test_overlaps():
    iou = overlaps(np.array([[0, 0, 10, 10]]), np.array([[0, 0, 10, 5], [20, 20, 30, 30]]))
    np.testing.assert_allclose(iou, [[0.5, 0]])
