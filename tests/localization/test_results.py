"""The thresholds of a run are those of its held-out photos; the centred Gaussian looks at none."""

from pathlib import Path

import numpy as np
from PIL import Image

from localization.boxes import LEVELS, Overlaps, threshold
from localization.photos import Photos
from localization.results import Scored, outcome, reference, shown
from tests.localization.recipes import CAM
from workflow.data.boxed_images import BoxedImage


def photos(held_out, test, folder=Path("x"), box=(8.0, 8.0, 23.0, 23.0)):
    images = [BoxedImage(f"{folder}/{n}.png", n % 2, (box,)) for n in range(held_out + test)]
    return Photos(images[:held_out], images[held_out:], "some", folder, "")


def test_thresholds_are_chosen_on_the_held_out_photos_only():
    """Which fit at level 200; the test photos fit at 10 only, and that is not looked at."""
    fits = np.zeros((5, LEVELS), dtype=np.float32)
    fits[:2, 200], fits[2:, 10] = 1, 1
    scored = Scored(np.array([0, 1, 0, 1, 1]), Overlaps(fits, fits), np.zeros((5, 4)))
    found = outcome(scored, photos(2, 3), CAM)
    assert (found.chosen.largest, found.chosen.best) == (200, (200, 200, 200))
    assert found.chosen.thresholds()["MaxBoxAcc"] == threshold(200)
    assert (found.metrics["MaxBoxAcc"], found.metrics["MaxBoxAccV2"]) == (0, 0)
    assert found.metrics["top1_error"] == 100 / 3, "of the test photos 0, 1, 0 are taken for 0, 1, 1"
    assert len(found.test.predicted) == 3


def test_the_gaussian_knows_the_middle(tmp_path):
    for n in range(6):
        Image.new("RGB", (40, 40), (n, 0, 0)).save(tmp_path / f"{n}.png")
    middle, corner = (reference(photos(2, 4, tmp_path, box), CAM) for box in ((8, 8, 31, 31), (0, 0, 9, 9)))
    assert middle["MaxBoxAcc"] == middle["MaxBoxAccV2"] == 100
    assert corner["MaxBoxAcc"] == 0
    assert middle.keys() == {"MaxBoxAccV2", "MaxBoxAcc", "GT-known"}


def test_the_photos_of_figures_are_test_photos_spread_over_the_set():
    assert shown(photos(3, 10)) == [3, 5, 7, 9, 11]
    assert shown(photos(3, 2)) == [3, 4]
