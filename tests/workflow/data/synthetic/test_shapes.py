"""What is drawn is where its points say, and nothing else is touched."""

import numpy as np
import pytest

from workflow.core.rng import rng
from workflow.data.synthetic.shapes import COLOURS, SHAPES, background, outline, paint


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


DRAWN = {
    "circle": [16733.17, 1050.13, 189.01, 5122.0, 1003.07, 458.52],
    "square": [358.96, 1028.82, 184.27, 4093.0, 1009.8, 482.26],
    "triangle": [105.47, 896.43, 172.23, 3031.0, 904.66, 387.1],
    "star": [402.18, 970.24, 159.21, 2380.0, 982.41, 351.69],
    "cross": [-866.92, 942.31, 191.05, 3782.0, 934.45, 399.73],
    "ring": [9533.82, 920.62, 151.2, 3779.0, 936.85, 453.22],
    "crescent": [1787.49, 951.23, 167.66, 2738.0, 942.4, 366.33],
    "arrow": [689.93, 1008.92, 166.32, 3041.0, 1005.36, 367.73],
    "heart": [-15005.47, 926.76, 165.65, 4187.0, 932.8, 426.72],
    "hourglass": [695.93, 1015.5, 164.71, 2465.0, 1008.9, 353.22],
    "bolt": [149.85, 926.77, 164.08, 2047.0, 922.89, 331.48],
    "leaf": [-20388.76, 934.64, 166.81, 3949.0, 935.72, 421.66],
}


@pytest.mark.parametrize("shape", DRAWN)
def test_shapes_are_those_of_the_published_tables(shape):
    """By sums. Where they change, the results in docs/ are of other data: they must be made anew."""
    found = []
    for number in range(8):
        draw = rng("test", shape, number)
        points = outline(shape, 30.0, draw)
        canvas = background(40, 40, number % 2 == 0, draw)
        found.append([(points.T @ np.arange(len(points))).sum(), canvas.mean(), canvas.std()])
        covered = paint(canvas, points + 20, list(COLOURS)[number], draw)
        found[-1] += [covered.sum(), canvas.mean(), canvas.std()]
    assert np.array(found).sum(axis=0).tolist() == pytest.approx(DRAWN[shape], abs=0.05)
