"""SSD's random crop: what it may return, and that image and boxes stay together."""

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from detection.ssd_crop import SSDCrop, holds_centre, overlaps

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


class Bounded(SSDCrop):
    """Fails where no crop is found, instead of looking for one for ever."""

    def candidates(self, width: int, height: int) -> np.ndarray:
        self.rounds += 1
        assert self.rounds <= 100
        return super().candidates(width, height)


def crops(minimum: float, count: int = 60) -> list[dict]:
    np.random.seed(0)
    crop, found = Bounded(min_ious=(minimum,)), []
    crop.sample_mode = (minimum,)
    for _ in range(count):
        crop.rounds = 0
        found.append(crop.transform(sample()))
    return found


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


def test_an_object_is_held_by_its_centre():
    """Not by its corner, and not by a part of it; an edge holds none."""
    boxes = np.array([[8, 8, 14, 10], [4, 4, 14, 14], [-4, 2, 10, 4], [-9, 2, 5, 4], [0, 0, 20, 10], [0, 0, 1, 1]])
    held = holds_centre(np.array([[0, 0, 10, 10], [9, 8, 20, 20]]), boxes)
    assert held.tolist() == [[False, True, True, False, False, True], [True, False, False, False, False, False]]


def sample_crops(count: int = 4000) -> np.ndarray:
    """Many crops (n, 4) of a large square, in shares of its side."""
    np.random.seed(0)
    crop, side = SSDCrop(), 10_000
    return np.concatenate([crop.candidates(side, side) for _ in range(count // 40)]) / side


def caffe(count: int = 40_000) -> np.ndarray:
    """Areas as the authors' Caffe code draws them: scale, then ratio, kept within the image."""
    draw = np.random.default_rng(0)
    scale = draw.uniform(0.3, 1, count)
    ratio = draw.uniform(0.5, 2, count).clip(scale**2, 1 / scale**2)
    return (scale * np.sqrt(ratio)) * (scale / np.sqrt(ratio))


def test_the_box_is_ssd_pytorchs_and_not_the_caffe_codes():
    areas, levels = [], (0.1, 0.5, 0.9)
    for sides in np.random.default_rng(1).uniform(0.3, 1, (40_000, 2)):  # ssd.pytorch: each side by itself
        if 0.5 <= sides[1] / sides[0] <= 2:
            areas.append(sides.prod())
    crops = sample_crops()
    ours = np.quantile((crops[:, 2:] - crops[:, :2]).prod(axis=1), levels)
    assert ours == pytest.approx(np.quantile(areas, levels), abs=0.015)
    assert ours == pytest.approx([0.192, 0.419, 0.737], abs=0.015)
    assert np.quantile(caffe(), levels) == pytest.approx([0.137, 0.421, 0.863], abs=0.01)


def test_a_crop_lies_anywhere_up_to_the_last_offset():
    crops = sample_crops()
    for axis in (0, 1):
        room = 1 - (crops[:, axis + 2] - crops[:, axis])
        offset = crops[:, axis][room > 0.1] / room[room > 0.1]
        assert np.quantile(offset, [0.05, 0.5, 0.95]) == pytest.approx([0.05, 0.5, 0.95], abs=0.02)
        assert 0 <= offset.min() < 0.005
        assert 0.995 < offset.max() <= 1
    np.random.seed(0)
    small = np.concatenate([SSDCrop().candidates(10, 10) for _ in range(40)])
    sides = small[:, 2:] - small[:, :2]
    assert {(side, low) for side, low in zip(sides[:, 0].tolist(), small[:, 0].tolist(), strict=True) if side == 5} == {
        (5, low) for low in range(5)
    }, "as in ssd.pytorch, ends are cut to whole pixels, so the last column is in the whole image alone"
