"""The laws of Random Erasing (paper, Algorithm 1)."""

import numpy as np
import pytest
import torch

from backbones.backbone import IMAGENET
from backbones.regularizers.random_erasing import RandomErasing
from workflow.core.rng import rng

PARAMETERS = {"scale": [0.1, 0.4], "ratio": [0.5, 2.0], "value": "random"}
PAPER = {"scale": [0.02, 0.4], "ratio": [0.3, 1 / 0.3], "value": "random"}
IMAGE = torch.full((3, 90, 120), 7, dtype=torch.uint8)


def erased(seed, image=IMAGE, probability=1.0, **changes):
    """Where the image is another one, (H, W)."""
    return (RandomErasing(**PAPER | changes, probability=probability).image(image, rng(seed)) != image).any(0)


def rectangles(count, rows, columns, **changes):
    """Top, left, height and width of many draws, (4, count)."""
    erasing = RandomErasing(**PAPER | changes, probability=1.0)
    return np.array([erasing.rectangle(rows, columns, rng(seed)) for seed in range(count)]).T


def uniform(values, low, high):
    shares = np.histogram(values, bins=10, range=(low, high))[0] / len(values)
    return low <= values.min() and values.max() <= high and np.abs(shares - 0.1).max() < 0.02


@pytest.mark.parametrize("probability", [0.2, 0.5])
def test_the_share_of_erased_images_is_the_probability(probability):
    shares = [bool(erased(seed, probability=probability).any()) for seed in range(2000)]
    assert abs(np.mean(shares) - probability) < 0.03


def test_what_is_erased_is_one_rectangle_inside_the_image_within_its_bounds():
    for seed in range(500):
        area = erased(seed)
        rows, columns = area.any(1).nonzero(), area.any(0).nonzero()
        height, width = int(rows.max() - rows.min() + 1), int(columns.max() - columns.min() + 1)
        assert area.sum() == height * width
        # Sides are rounded to whole pixels.
        assert (height - 0.5) * (width - 0.5) <= 0.4 * area.numel()
        assert (height + 0.5) * (width + 0.5) >= 0.02 * area.numel()
        assert (height - 0.5) / (width + 0.5) <= 1 / 0.3
        assert (height + 0.5) / (width - 0.5) >= 0.3


def test_area_aspect_ratio_and_corner_are_uniform():
    top, left, height, width = rectangles(3000, 3000, 4000, scale=[0.02, 0.2])  # all of which fit
    assert uniform(height * width / 3000 / 4000, 0.0199, 0.2001)
    assert uniform(height / width, 0.299, 1 / 0.299)
    assert uniform(top / (3000 - height), 0, 1)
    assert uniform(left / (4000 - width), 0, 1)


def test_the_corner_may_be_any_at_which_the_rectangle_fits():
    top, left, height, width = rectangles(300, 2, 4, scale=[0.5, 0.5], ratio=[1, 1])
    assert {*zip(top, left, height, width, strict=True)} == {(0, corner, 2, 2) for corner in range(3)}


@pytest.mark.parametrize(("area", "side"), [(12, 3), (14, 4)])
def test_sides_are_rounded_to_the_nearest_pixel(area, side):
    _, _, height, width = rectangles(3, 10, 10, scale=[area / 100] * 2, ratio=[1, 1])
    assert {*height, *width} == {side}


def test_a_rectangle_that_does_not_fit_is_drawn_again():
    """Of the first pair nine in ten are too tall."""
    for scale, ratio in (([0.5, 0.6], [0.1, 10]), ([0.9, 0.95], [0.7, 0.9])):
        _, _, height, width = rectangles(300, 90, 120, scale=scale, ratio=ratio)
        assert height.max() <= 90
        assert width.max() <= 120
        assert (height * width > (scale[0] - 0.02) * 90 * 120).all()


def test_where_none_fits_the_image_stays_as_it_is():
    assert not erased(1, scale=[1.0, 1.0], ratio=[2.0, 3.0]).any()
    assert not erased(1, scale=[1e-5, 1e-5], ratio=[1e-310, 1e-310]).any()


def test_random_values_are_uniform_and_differ_in_each_channel_of_each_pixel():
    image = RandomErasing([0.4, 0.4], [1, 1], "random", 1.0).image(torch.zeros(3, 500, 500, dtype=torch.uint8), rng(0))
    values = image[:, (image != 0).any(0)].numpy()  # all but one in 16 million
    shares = np.stack([np.bincount(channel, minlength=256) / channel.size for channel in values])
    assert np.abs(shares * 256 - 1).max() < 0.25
    assert np.abs(np.corrcoef(values) - np.eye(3)).max() < 0.02
    assert np.abs(np.corrcoef(values[0, :-1], values[0, 1:])[0, 1]) < 0.02


def test_given_values_fill_each_channel():
    image = RandomErasing([0.2, 0.3], [1, 1], [124, 116, 104], 1.0).image(IMAGE, rng(0))
    hole = (image != IMAGE).any(0)
    assert image[:, hole].unique(dim=1).flatten().tolist() == [124, 116, 104]
    assert IMAGENET(image[None])[0][:, hole].abs().max() < 0.01, "zero after normalisation"


def test_the_value_does_not_move_the_rectangle():
    for seed in range(20):
        assert torch.equal(erased(seed), erased(seed, value=[0, 0, 0]))


def test_probability_0_is_the_identity_and_the_label_never_changes():
    assert RandomErasing(**PAPER, probability=0.0).image(IMAGE, rng(1)) is IMAGE
    images, targets = torch.rand(2, 3, 8, 8), torch.eye(2)
    assert RandomErasing(**PAPER, probability=1.0).batch(images, targets, rng(1), 0.0) == (images, targets)


def test_the_input_is_left_alone():
    erased(1)
    assert (IMAGE == 7).all()
