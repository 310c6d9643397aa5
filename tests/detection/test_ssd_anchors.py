"""SSD300's grid, its priors, and both at other sizes."""

from itertools import pairwise

import pytest
import torch
from mmdet.models.task_modules.prior_generators import SSDAnchorGenerator

from detection import ssd_anchors
from detection.stages import SSD
from workflow.core.errors import UserError


def cells(size: int) -> list[int]:
    """On a network that rounds up where a stride leaves a rest, as ResNets do."""
    return ssd_anchors.cells(size, [-(-size // stride) for stride in SSD])


def test_ssd300():
    assert cells(300) == [38, 19, 10, 5, 3, 1]
    priors = ssd_anchors.priors(300, cells(300))
    assert priors["strides"] == [8, 16, 32, 64, 100, 300]
    assert priors["min_sizes"] == pytest.approx([30, 60, 111, 162, 213, 264])
    assert priors["max_sizes"] == pytest.approx([60, 111, 162, 213, 264, 315])
    ours = SSDAnchorGenerator(**priors, input_size=300, scale_major=False)
    counts = [side**2 * number for side, number in zip(cells(300), ours.num_base_priors, strict=True)]
    assert sum(counts) == 8732


def test_priors_at_300_are_mmdets():
    strides, ratios = [8, 16, 32, 64, 100, 300], ssd_anchors.RATIOS
    theirs = SSDAnchorGenerator(strides, ratios, basesize_ratio_range=(0.2, 0.9), input_size=300, scale_major=False)
    ours = SSDAnchorGenerator(**ssd_anchors.priors(300, cells(300)), input_size=300, scale_major=False)
    for one, other in zip(ours.base_anchors, theirs.base_anchors, strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=0)


@pytest.mark.parametrize("size", [64, 96, 128, 160, 192, 224, 300, 512])
def test_levels_shrink_and_priors_scale(size):
    sides, priors = cells(size), ssd_anchors.priors(size, cells(size))
    assert all(a > b >= 1 for a, b in pairwise(sides))
    assert all(len(value) == len(sides) for value in priors.values())
    assert len(ssd_anchors.neck(sides)["level_strides"]) == len(sides) - 3
    assert priors["min_sizes"][0] == pytest.approx(size / 10)


def test_a_level_without_cells_of_its_own_is_dropped():
    assert cells(160) == [20, 10, 5, 3, 2]
    assert cells(128) == [16, 8, 4, 2, 1]
    assert cells(280) == [35, 18, 9, 5, 3, 1]
    assert ssd_anchors.cells(280, [35, 17, 8]) == [35, 17, 8, 4, 2], "of a network that rounds down"


def test_too_small():
    assert cells(33)
    with pytest.raises(UserError, match=r"ssd_voc\.size: 32 pixels leave no level beyond the backbone's"):
        cells(32)
