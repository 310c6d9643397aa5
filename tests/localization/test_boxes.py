"""From maps to boxes: the benchmark's rules in one vectorised pass, and the laws that they imply."""

import cv2
import numpy as np
import pytest
import torch
from scipy import ndimage

from localization.boxes import LEVELS, contours, iou, largest_box, level, overlaps, quantize, threshold, to_map
from tests.localization import outside

TAUS = [number / 1000 for number in range(0, 1000, 9)]


def smooth(count, side, seed, cells=5):
    """Maps of 8 bits from random cells."""
    maps = torch.randn(count, cells, cells, generator=torch.Generator().manual_seed(seed))
    return quantize(maps, side, "minmax", "bicubic")


def random_boxes(count, side, seed):
    draw = np.random.default_rng(seed)
    corners = [np.sort(draw.integers(0, side, (2, draw.integers(1, 4), 2)), axis=0) for _ in range(count)]
    return [np.concatenate([low, high], axis=1).astype(float) for low, high in corners]


@pytest.mark.parametrize("cells", [2, 5, 9])
def test_all_levels_at_once_are_each_level_alone(cells):
    images, truths = smooth(6, 40, cells, cells), random_boxes(6, 40, cells)
    images[0] = np.random.default_rng(0).integers(0, 256, (40, 40))  # noise: hundreds of regions, with holes
    images[1] = images[1] // 64 * 85  # few values: most masks are alike
    images[2] = 0
    found = overlaps(images, truths)
    for tau in TAUS:
        for place, (image, truth) in enumerate(zip(images, truths, strict=True)):
            at = place, level(tau)
            assert found.largest[at] == np.float32(outside.best_fit(image, tau, truth, several=False)), (tau, place)
            assert found.best[at] == np.float32(outside.best_fit(image, tau, truth, several=True)), (tau, place)


def test_the_contours_are_those_of_regions_and_of_their_holes():
    """Found by labelling cells, without following any contour."""
    image = smooth(1, 48, 3, 9)[0]
    for k in range(0, LEVELS, 17):
        mask = image > k
        regions, _ = ndimage.label(mask, structure=np.ones((3, 3)))
        outside_too = np.pad(~mask, 1, constant_values=True)
        holes, _ = ndimage.label(outside_too)
        expected = [(x.start, y.start, x.stop - x.start, y.stop - y.start) for y, x in ndimage.find_objects(regions)]
        for number, (y, x) in enumerate(ndimage.find_objects(holes), start=1):
            if number != holes[0, 0]:  # the pad is around all; a hole's contour is the foreground next to it
                expected.append((x.start - 2, y.start - 2, x.stop - x.start + 2, y.stop - y.start + 2))
        assert sorted(contours(image, k)[0]) == sorted(expected or [(0, 0, 0, 0)]), k


def test_levels_are_the_benchmark_s_thresholds():
    for k in range(LEVELS):
        assert level(threshold(k)) == k
    image = np.arange(256, dtype=np.uint8).reshape(16, 16)
    for tau in TAUS:
        np.testing.assert_array_equal(image > level(tau), image > int(tau * image.max()))


def test_a_box_ends_at_the_last_pixel_and_an_empty_mask_has_one_at_the_origin():
    image = np.zeros((20, 30), dtype=np.uint8)
    assert largest_box(image, 0).tolist() == [0, 0, 0, 0]
    image[5:9, 10:14] = 200
    assert largest_box(image, 0).tolist() == [10, 5, 14, 9], "as cv2.boundingRect: x + width"
    image[15:, 20:] = 200
    assert largest_box(image, 0).tolist() == [20, 15, 29, 19]


def test_a_mask_as_map_fits_its_object():
    mask = np.zeros((1, 64, 64), dtype=np.float32)
    mask[0, 20:45, 10:50] = 1
    image = quantize(torch.from_numpy(mask), 64, "minmax", "bilinear")
    found = overlaps(image, [np.array([[10.0, 20.0, 50.0, 45.0]])])
    assert (found.largest == 1).all()
    assert (found.best == 1).all()


@pytest.mark.parametrize("normalization", ["minmax", "max"])
@pytest.mark.parametrize("interpolation", ["bicubic", "bilinear"])
def test_scaling_a_map_changes_nothing(normalization, interpolation):
    maps = torch.randn(5, 7, 7, generator=torch.Generator().manual_seed(0))
    first = quantize(maps, 56, normalization, interpolation)
    np.testing.assert_array_equal(first, quantize(maps * 1024, 56, normalization, interpolation))
    assert first.max(axis=(1, 2)).tolist() == [255] * 5
    shifted = quantize(maps + 2, 56, normalization, interpolation)
    assert (
        np.array_equal(first, shifted) == (normalization == "minmax") or np.abs(first.astype(int) - shifted).max() <= 1
    )


def test_its_own_range_or_its_maximum():
    maps = torch.tensor([[[-1.0, 0.0], [1.0, 3.0]]])
    assert quantize(maps, 2, "minmax", "bilinear").tolist() == [[[0, 63], [127, 255]]]
    assert quantize(maps, 2, "max", "bilinear").tolist() == [[[0, 0], [85, 255]]]


@pytest.mark.parametrize("bad", [0.0, 3.5, float("nan"), float("inf")])
@pytest.mark.parametrize("normalization", ["minmax", "max"])
def test_a_map_that_says_nothing_is_zeros(bad, normalization):
    maps = torch.full((2, 3, 3), min(bad, 0.0) if normalization == "max" and np.isfinite(bad) else bad)
    maps[1] = torch.arange(9).view(3, 3)
    image = quantize(maps, 12, normalization, "bicubic")
    assert not image[0].any()
    assert image[1].max() == 255, "its neighbours are as they are"


def test_the_resizing_is_opencv_s():
    cells = torch.randn(1, 14, 14, generator=torch.Generator().manual_seed(1))
    ours = quantize(cells, 224, "minmax", "bicubic")[0]
    theirs = outside.grey(cv2.resize(cells[0].numpy(), (224, 224), interpolation=cv2.INTER_CUBIC))
    assert np.abs(ours.astype(int) - theirs).max() <= 1
    assert (ours == theirs).mean() > 0.99


def test_the_overlap_counts_last_pixels():
    boxes, truth = np.array([[0.0, 0, 9, 9], [5, 5, 14, 14], [20, 20, 29, 29]]), np.array([[0.0, 0, 9, 9]])
    assert iou(boxes, truth)[:, 0] == pytest.approx([1, 25 / 175, 0])
    assert iou(boxes, truth)[1, 0] == outside.iou([5, 5, 14, 14], [0, 0, 9, 9])


def test_true_boxes_on_the_map():
    boxes = np.array([[100.0, 50.0, 400.0, 299.0]])  # of a photo of 500 x 300 px
    assert to_map(boxes, 500, 300, 224, 224).tolist() == [[44, 37, 179, 223]], "resized straight, truncated"
    assert to_map(boxes, 500, 300, 256, 224).tolist() == [[35, 26, 188, 223]], "the centre crop"
    assert to_map(np.array([[0.0, 0.0, 10.0, 10.0]]), 500, 500, 256, 128).tolist() == [[0, 0, 0, 0]], "beyond it"
