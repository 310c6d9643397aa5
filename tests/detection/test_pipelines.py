"""What the training pipelines do to a picture, as laws of what they draw: flips, colours, expansion, crops."""

import copy

import numpy as np
import pytest
import torch
from mmdet.structures.bbox import HorizontalBoxes

from backbones.backbone import IMAGENET
from workflow.training.seeding import seed_everything

NAMES = ["ssd_voc", "faster_rcnn_voc", "faster_rcnn_coco"]
SIDES = HEIGHT, WIDTH = 60, 80
BOX = [10.0, 20.0, 50.0, 40.0]
COLOUR = np.array([40, 120, 200], dtype=np.float32)  # blue, green, red: a hue of 30 degrees
DRAWS = 400


def sample(picture: np.ndarray) -> dict:
    """As the pipeline has it once image and annotations are loaded."""
    boxes = {"gt_bboxes": HorizontalBoxes(torch.tensor([BOX])), "gt_bboxes_labels": np.array([0])}
    return {"img": picture, "img_shape": SIDES, "ori_shape": SIDES, **boxes, "gt_ignore_flags": np.array([False])}


def steps(built) -> list:
    """Behind loading, before packing."""
    dataset = built.train.dataset.dataset
    return getattr(dataset, "datasets", [dataset])[0].pipeline.transforms[2:-1]


def through(transforms: list, picture: np.ndarray) -> list[dict]:
    """What comes out of `transforms`, drawn often."""
    found = []
    for number in range(DRAWS):
        seed_everything(0, "test", number)
        result = sample(picture.copy())
        for transform in transforms:
            result = transform(result)
        found.append({"img": result["img"].copy(), "box": result["gt_bboxes"].tensor[0].tolist()})
    return found


def until(transforms: list, name: str) -> list:
    """Those before the first of that type."""
    return transforms[: [type(one).__name__ for one in transforms].index(name)]


@pytest.fixture(scope="module")
def ssd(build) -> list:
    return steps(build("ssd_voc"))


@pytest.mark.parametrize("name", NAMES)
def test_half_of_the_pictures_are_flipped_and_their_boxes_with_them(build, name):
    """Red rises from left to right; in a flipped picture it falls, also within the box."""
    picture = np.full((*SIDES, 3), 90, dtype=np.uint8)
    picture[..., 2] = 100 + np.arange(WIDTH)
    flipped = []
    for one in through(steps(build(name)), picture):
        left, top, right, bottom = (round(value) for value in one["box"])
        red = one["img"][top:bottom, left:right, 2].astype(np.float64).mean(axis=0)
        flipped.append(red[-1] < red[0])
        if name != "ssd_voc":  # whose colours are distorted
            ends = sorted((red[0], red[-1]))
            assert ends == pytest.approx([100 + BOX[0], 100 + BOX[2]], abs=2)
    assert 0.42 < np.mean(flipped) < 0.58


@pytest.mark.parametrize("name", NAMES[1:])
def test_faster_rcnn_changes_no_colour(build, name):
    picture = np.full((*SIDES, 3), COLOUR, dtype=np.uint8)
    assert all((one["img"] == picture[0, 0]).all() for one in through(steps(build(name)), picture)[:40])


def hsv(colour: np.ndarray) -> tuple[float, float, float]:
    """Hue in degrees, saturation and value of blue < green < red."""
    blue, green, red = map(float, colour)
    return 60 * (green - blue) / (red - blue), (red - blue) / red, red


def test_ssd_distorts_colours_and_swaps_no_channels(ssd):
    found = np.array(
        [one["img"][0, 0] for one in through(until(ssd, "Expand"), np.full((*SIDES, 3), COLOUR, np.uint8))]
    )
    assert (np.diff(found, axis=1) > 0).all(), "blue < green < red, as before"
    hue, saturation, value = (np.array(part) for part in zip(*map(hsv, found), strict=True))
    start = hsv(COLOUR)
    for drawn, before, share in ((hue, start[0], 1 / 2), (value, start[2], 1 / 4), (saturation, start[1], 1 / 4)):
        assert np.mean(np.isclose(drawn, before, rtol=1e-4)) == pytest.approx(share, abs=0.07)
    away = np.abs(hue - start[0])
    assert away.max() == pytest.approx(18, abs=0.5)
    assert np.median(away[away > 0.01]) == pytest.approx(9, abs=1.5)
    assert 0.5 * (200 - 32) < value.min() < 110
    assert 280 < value.max() < 1.5 * (200 + 32)
    alone = np.isclose(value, start[2], rtol=1e-4) & ~np.isclose(saturation, start[1], rtol=1e-4)
    assert (0.5 * start[1] - 1e-3 < saturation[alone]).all()
    assert saturation[alone].min() < 0.6 * start[1]
    assert saturation[alone].max() > 0.99, "1.25 times as much is all"


def test_ssd_expands_half_of_the_pictures_to_four_times_their_sides(ssd):
    picture = np.full((*SIDES, 3), COLOUR, dtype=np.uint8)
    before, (expand,) = until(ssd, "Expand"), until(ssd, "SSDCrop")[len(until(ssd, "Expand")) :]
    found = through([*before, expand], picture)
    ratio = np.array([one["img"].shape[0] / HEIGHT for one in found])
    larger = ratio > 1.02
    assert larger.mean() == pytest.approx(0.5, abs=0.07)
    assert np.quantile(ratio[larger], [0.1, 0.5, 0.9]) == pytest.approx([1.3, 2.5, 3.7], abs=0.3)
    assert ratio.max() <= 4
    fill = np.float32(IMAGENET.mean[::-1])
    for one, wide in zip(found, larger, strict=True):
        left, top = (one["box"][0] - BOX[0], one["box"][1] - BOX[1])
        inside = np.zeros(one["img"].shape[:2], dtype=bool)
        inside[round(top) : round(top) + HEIGHT, round(left) : round(left) + WIDTH] = True
        assert inside.sum() == HEIGHT * WIDTH
        # not distorted: colours come first
        np.testing.assert_allclose(one["img"][~inside], np.tile(fill, ((~inside).sum(), 1)), atol=0.01)
        assert not wide or (~inside).any()


@pytest.mark.parametrize("limit", [1, 1.5])
def test_the_recipe_limits_how_far_ssd_expands(build, limit):
    built = steps(build("ssd_voc", expand_ratio=limit))
    picture = np.full((*SIDES, 3), COLOUR, dtype=np.uint8)
    ratios = [one["img"].shape[0] / HEIGHT for one in through(until(built, "SSDCrop"), picture)]
    assert max(ratios) <= limit
    assert limit == 1 or max(ratios) > 0.9 * limit


def test_ssd_crops_most_pictures_and_all_end_at_the_recipes_size(ssd):
    picture = np.full((*SIDES, 3), COLOUR, dtype=np.uint8)
    whole = [one["img"].shape[:2] == SIDES for one in through([until(ssd, "Resize")[-1]], picture)]
    assert 0.05 < np.mean(whole) < 0.35, "one mode in seven, and those that find no crop"
    assert {one["img"].shape for one in through(ssd, picture)[:40]} == {(96, 96, 3)}


@pytest.mark.parametrize("name", NAMES)
def test_a_test_picture_is_seen_as_it_is(build, name):
    built = build(name)
    first, again = (built.val.dataset[0]["inputs"] for _ in range(2))
    assert torch.equal(first, again)
    kinds = [type(step).__name__ for step in built.val.dataset.pipeline.transforms]
    assert not [kind for kind in kinds if kind.startswith(("Random", "Photo", "Expand", "SSDCrop"))]
    assert copy.copy(kinds)[1] == "Resize"
