"""The laws of Cutout."""

import numpy as np
import pytest
import torch

from backbones.backbone import IMAGENET
from backbones.regularizers.cutout import Cutout
from workflow.core.rng import rng

PARAMETERS = {"size": 4}
IMAGE = torch.full((3, 30, 40), 255, dtype=torch.uint8)


def hole(seed, size=10, probability=1.0):
    image = Cutout(size, probability).image(IMAGE, rng(seed))
    return (image != IMAGE).all(0)


def test_the_square_hangs_over_the_edge_and_its_centre_is_uniform():
    rows, columns, shares = [], [], []
    for seed in range(3000):
        cut = hole(seed).nonzero()
        (top, left), (bottom, right) = cut.min(0).values.tolist(), cut.max(0).values.tolist()
        assert len(cut) == (bottom - top + 1) * (right - left + 1)
        assert bottom - top < 10
        assert right - left < 10
        rows.append(top + 5 if top > 0 else bottom - 4)
        columns.append(left + 5 if left > 0 else right - 4)
        shares.append(len(cut))
    assert min(shares) < 50 < max(shares) == 100
    for values, side in ((rows, 30), (columns, 40)):
        assert np.abs(np.histogram(values, bins=10, range=(0, side))[0] / 3000 - 0.1).max() < 0.02


def test_the_hole_is_zero_after_normalisation():
    image = Cutout(100, 1.0).image(IMAGE, rng(0))
    blank = IMAGENET(image[None])[0][:, (image != IMAGE).all(0)]
    assert blank.abs().max() < 0.01
    assert image[:, 12, 12].tolist() == [124, 116, 104]


@pytest.mark.parametrize("size", [1, 4, 9])
def test_the_size_is_the_side_in_pixels(size):
    assert max(int(hole(seed, size).sum()) for seed in range(60)) == size * size


def test_probability_0_is_the_identity_and_the_label_never_changes():
    assert Cutout(10, 0.0).image(IMAGE, rng(1)) is IMAGE
    images, targets = torch.rand(2, 3, 8, 8), torch.eye(2)
    assert Cutout(4, 1.0).batch(images, targets, rng(1), 0.0) == (images, targets)


def test_the_input_is_left_alone():
    hole(1)
    assert (IMAGE == 255).all()
