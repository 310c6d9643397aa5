"""What is drawn is where its points say, and nothing else is touched."""

import numpy as np
import pytest

from workflow.data.shapes import COLOURS, SHAPES, background, outline, paint
from workflow.training.rng import rng


@pytest.mark.parametrize("shape", SHAPES)
def test_an_outline_is_centred_and_as_long_as_asked(shape):
    points = outline(shape, 50.0, rng("test", shape))
    low, high = points.min(axis=0), points.max(axis=0)
    assert (high - low).max() == pytest.approx(50)
    assert low + high == pytest.approx([0, 0], abs=1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_drawing_fills_the_box_of_its_points(shape):
    draw = rng("test", shape)
    points = outline(shape, 50.0, draw) + np.array([40, 35])
    canvas = np.full((70, 80, 3), 128, dtype=np.float32)
    covered = paint(canvas, points, "red", draw)
    rows, columns = np.nonzero(covered)
    drawn = [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
    # A sharp tip covers less than half of its last pixels.
    assert drawn == pytest.approx([*points.min(axis=0), *points.max(axis=0)], abs=3)
    assert (canvas[covered] != 128).any(axis=1).all()
    x0, y0 = np.floor(points.min(axis=0)).astype(int)
    canvas[y0 : y0 + 52, x0 : x0 + 52] = 128
    assert (canvas == 128).all()


def test_shapes_cover_what_their_names_promise():
    """A ring has a hole, a circle has none; a crescent is less than half of its disc."""
    covered = {}
    for shape in ("circle", "ring", "crescent"):
        points = SHAPES[shape] * 20 + 25
        covered[shape] = paint(np.zeros((50, 50, 3), dtype=np.float32), points, "red", rng(0))
    assert covered["circle"][25, 25]
    assert not covered["ring"][25, 25]
    assert covered["ring"][25, 7]
    assert covered["crescent"][25, 7]
    assert covered["circle"].sum() == pytest.approx(np.pi * 20**2, rel=0.03)
    assert covered["ring"].sum() == pytest.approx(np.pi * 20**2 * (1 - 0.55**2), rel=0.06)
    assert 0.2 < covered["crescent"].sum() / covered["circle"].sum() < 0.5


def test_backgrounds_are_dark_or_bright_and_muted():
    for index in range(20):
        dark, bright = (background(40, 30, bright, rng("test", index, bright)) for bright in (False, True))
        assert dark.shape == bright.shape == (30, 40, 3)
        assert dark.mean() < 120 < bright.mean()
        for ground in (dark, bright):
            assert np.ptp(ground.mean(axis=(0, 1))) < 60


def test_there_is_a_colour_for_every_shape():
    assert len(COLOURS) == len(SHAPES) == 12
