"""SSD300's levels and priors for any input size: the same network in small (Liu et al., ECCV 2016, VOC settings).

Checked against SSD300 itself: 300 pixels give 38, 19, 10, 5, 3, 1 cells and 8732 priors.
"""

from collections.abc import Sequence
from typing import Any

from detection.stages import SSD
from workflow.core.errors import UserError

EXTRA_CONVOLUTIONS = [(2, 1), (2, 1), (1, 0)]  # (stride, padding) of the 3x3 convolution that makes each extra level
SCALES = [0.1, 0.2, 0.37, 0.54, 0.71, 0.88, 1.05]  # of a level's priors, and the next level's, in shares of the input
RATIOS = [[2], [2, 3], [2, 3], [2, 3], [2], [2]]


def cells(size: int, backbone: Sequence[int]) -> list[int]:
    """Side of each level's map.

    A level stands while its map has at least one cell and fewer than the level before.

    Args:
        size: side of the square input, px.
        backbone: sides of the backbone's maps for it, strides 8, 16 and 32.

    Raises:
        UserError: if the input is so small that no extra level is left.
    """
    sides = list(backbone)
    for stride, padding in EXTRA_CONVOLUTIONS:
        side = (sides[-1] + 2 * padding - 3) // stride + 1
        if not 1 <= side < sides[-1]:
            break
        sides.append(side)
    if len(sides) == len(backbone):
        raise UserError(f"ssd_voc.size: {size} pixels leave no level beyond the backbone's")
    return sides


def neck(sides: Sequence[int]) -> dict[str, Any]:
    """The extra levels of these, as SSDNeck's arguments."""
    extra = EXTRA_CONVOLUTIONS[: len(sides) - len(SSD)]
    return {"level_strides": [stride for stride, _ in extra], "level_paddings": [padding for _, padding in extra]}


def priors(size: int, sides: Sequence[int]) -> dict[str, Any]:
    """The priors of these levels, as SSDAnchorGenerator's arguments, in pixels of the input.

    The strides are 8, 16, 32 and 64 as in the convolutions, and beyond them the input's share of a cell (SSD300's
    100 and 300): there the border takes part in every cell.
    """
    count = len(sides)
    strides = [8 * 2**level if level < 4 else size / side for level, side in enumerate(sides)]
    small, large = ([size * scale for scale in SCALES[first : first + count]] for first in (0, 1))
    return {"strides": strides, "ratios": RATIOS[:count], "min_sizes": small, "max_sizes": large}
