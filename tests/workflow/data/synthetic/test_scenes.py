"""The statistics that make the demo data learnable in minutes, though not by colour alone."""

from collections import Counter

import numpy as np
import pytest

from workflow.core.files import short
from workflow.core.rng import rng
from workflow.data.synthetic.scenes import scene, single_object_scene
from workflow.data.synthetic.shapes import COLOURS
from workflow.data.synthetic.sprites import Shapes


@pytest.fixture(scope="module")
def scenes():
    return [scene(Shapes(8), 64, rng("test", index)) for index in range(800)]


def test_a_class_wears_its_own_colour_in_90_percent_of_cases(scenes):
    things = [thing for picture in scenes for thing in picture.things]
    own = [list(COLOURS)[thing.label] == thing.look.colour for thing in things]
    assert np.mean(own) == pytest.approx(0.9, abs=0.03)
    worn = Counter((thing.label, thing.look.colour) for thing in things)
    colours = [{colour for colour in COLOURS if worn[label, colour]} for label in range(8)]
    assert min(map(len, colours)) > 4, "every class wears most colours now and then"


def test_classes_and_numbers_are_spread(scenes):
    labels = Counter(thing.label for picture in scenes for thing in picture.things)
    assert len(labels) == 8
    assert max(labels.values()) < 1.5 * min(labels.values())
    numbers = Counter(len(picture.things) for picture in scenes)
    assert set(numbers) == {1, 2, 3}
    assert all(numbers[count] > 40 for count in numbers)


def test_whole_things_are_between_a_third_and_three_quarters_of_the_side(scenes):
    for picture in scenes:
        short = min(picture.pixels.shape[:2])
        for thing in picture.things:
            if not (thing.truncated or thing.difficult):
                assert 0.35 * short - 2 <= thing.side <= 0.75 * short + 2


def test_boxes_are_on_the_picture_and_hold_what_is_drawn(scenes):
    for picture in scenes:
        height, width = picture.pixels.shape[:2]
        for thing in picture.things:
            x0, y0, x1, y1 = thing.box
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            assert 0 < thing.area <= (x1 - x0) * (y1 - y0)


def test_cut_things_touch_the_edge_and_hidden_or_tiny_ones_are_difficult(scenes):
    things = [(thing, picture.pixels.shape[:2]) for picture in scenes for thing in picture.things]
    cut = [(thing.box, size) for thing, size in things if thing.truncated]
    assert 0.03 < len(cut) / len(things) < 0.25
    for (x0, y0, x1, y1), (height, width) in cut:
        assert x0 == 0 or y0 == 0 or x1 == width or y1 == height
    difficult = [thing.difficult for thing, _ in things]
    assert 0.02 < np.mean(difficult) < 0.15
    assert all(thing.difficult for thing, _ in things if thing.visible < 0.6)


def test_a_portrait_shows_its_class():
    """The nearest class by mean silhouette is right far more often than chance, whatever the colour."""

    def silhouette(label: int, index: int) -> np.ndarray:
        pixels = single_object_scene(label, Shapes(4), 32, rng("test", label, index)).pixels.astype(float)
        return np.ptp(pixels, axis=2) / (np.ptp(pixels) + 1)

    means = np.stack([np.mean([silhouette(label, i) for i in range(60)], axis=0) for label in range(4)])
    found = [
        np.argmin([np.square(silhouette(label, i) - mean).sum() for mean in means]) == label
        for label in range(4)
        for i in range(60, 90)
    ]
    assert np.mean(found) > 0.35


def test_scenes_are_those_of_the_published_tables(scenes):
    """Where the generator draws otherwise, the results in docs/ are of other data: they must be made anew."""
    things = [
        [picture.pixels.shape, picture.bright, [[t.label, t.box, t.truncated, t.difficult] for t in picture.things]]
        for picture in scenes
    ]
    assert short(things) == "6289543d29"
    area = sum(thing.area * (1 + thing.visible) for picture in scenes for thing in picture.things)
    assert area == pytest.approx(911902.6, rel=1e-4)
    light = np.array([[picture.pixels.mean(), picture.pixels.std()] for picture in scenes]).sum(axis=0)
    assert light == pytest.approx([95591.77, 32321.53], rel=1e-4)
    faces = [single_object_scene(label, Shapes(12), 48, rng("test", label)).pixels for label in range(12)]
    assert [face.mean() for face in faces] == pytest.approx(
        [70.66, 57.97, 64.11, 78.32, 58.29, 172.39, 100.74, 177.46, 101.85, 144.3, 173.84, 78.99], abs=0.05
    )
