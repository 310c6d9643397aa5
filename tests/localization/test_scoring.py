"""The metrics against the benchmark once more (outside.py), and their laws on random maps."""

import numpy as np
import pytest

from localization.boxes import LEVELS, Overlaps, level, overlaps, threshold
from localization.scoring import IOUS, box_accuracy, choose, curves, means, per_image
from tests.localization import outside
from tests.localization.test_boxes import smooth

SIGMA = 0.15


@pytest.fixture(scope="module")
def photos():
    """80 maps with their true boxes, and whether the class is right."""
    draw = np.random.default_rng(1)
    truths = list(np.concatenate([draw.integers(0, 10, (80, 1, 2)), draw.integers(18, 32, (80, 1, 2))], axis=2))
    return smooth(80, 32, 0, 4), truths, np.random.default_rng(2).random(80) < 0.7


@pytest.fixture(scope="module")
def fits(photos):
    return overlaps(photos[0], photos[1])


def test_the_benchmark_agrees(photos, fits):
    images, truths, right = photos
    images, truths, right = images[:25], truths[:25], right[:25]
    some = Overlaps(fits.largest[:25], fits.best[:25])
    chosen = choose(some)
    found = means(per_image(some, right, chosen, SIGMA))
    taus = [threshold(k) for k in range(LEVELS)]
    assert (found["MaxBoxAcc"], found["MaxBoxAccV2"]) == pytest.approx(outside.max_box_acc(images, truths, taus))
    assert found["Top-1 Loc"] == pytest.approx(outside.top1_loc(images, truths, right, SIGMA))
    assert found["GT-known"] == pytest.approx(outside.top1_loc(images, truths, [True] * 25, SIGMA))
    assert found["top1_error"] == pytest.approx(100 - 100 * right.mean())


def test_a_thousand_thresholds_are_255(photos, fits):
    image, truth = photos[0][0], photos[1][0]
    for tau in (0.0, 0.001, 0.003, 0.004, 0.5, 0.998, 0.999):
        assert np.float32(outside.best_fit(image, tau, truth, several=False)) == fits.largest[0, level(tau)]


def test_laws(photos, fits):
    right = photos[2]
    chosen = choose(fits)
    found = means(per_image(fits, right, chosen, SIGMA))
    curve = box_accuracy(fits.largest, 0.5)
    assert found["MaxBoxAcc"] == curve.max(), "MaxBoxAcc ≥ BoxAcc at each threshold"
    assert 0 < found["Top-1 Loc"] <= min(100 - found["top1_error"], found["GT-known"])
    assert (fits.best >= fits.largest).all(), "V2's boxes at one IoU and threshold score at least V1's"
    for iou in IOUS:
        assert (box_accuracy(fits.best, iou) >= box_accuracy(fits.largest, iou)).all()
    assert found["MaxBoxAccV2"] == pytest.approx(np.mean([box_accuracy(fits.best, iou).max() for iou in IOUS]))
    assert curves(fits)["BoxAcc"].max() == found["MaxBoxAcc"]
    assert curves(fits)["BoxAccV2"].max() <= found["MaxBoxAccV2"], "one threshold for all IoUs"


def test_a_metric_is_the_mean_of_its_images(photos, fits):
    values = per_image(fits, photos[2], choose(fits), SIGMA)
    assert all(value.shape == (80,) and value.dtype == np.float64 for value in values.values())
    assert set(np.unique(values["Top-1 Loc"])) == {0, 100}
    thirds = values["MaxBoxAccV2"] * 3 / 100
    np.testing.assert_allclose(thirds, thirds.round(), atol=1e-9)


def test_the_threshold_is_chosen_on_other_images(photos, fits):
    """Of the held-out ones the best; on the test images another would be better."""
    held_out, test = (Overlaps(fits.largest[part], fits.best[part]) for part in (slice(0, 10), slice(10, 80)))
    chosen = choose(held_out)
    assert chosen.largest == int(box_accuracy(held_out.largest, 0.5).argmax())
    found = means(per_image(test, photos[2][10:], chosen, SIGMA))
    assert found["MaxBoxAcc"] == box_accuracy(test.largest, 0.5)[chosen.largest]
    assert found["MaxBoxAcc"] <= box_accuracy(test.largest, 0.5).max()
    assert chosen.thresholds()["MaxBoxAcc"] == threshold(chosen.largest)
    assert list(chosen.thresholds()["MaxBoxAccV2"]) == ["0.3", "0.5", "0.7"]


def test_of_equals_the_lowest_threshold():
    fits = np.zeros((2, LEVELS), dtype=np.float32)
    fits[:, 40:60] = 1
    assert choose(Overlaps(fits, fits)).largest == 40
    assert choose(Overlaps(fits, fits)).best == (40, 40, 40)


def test_just_half_is_right_for_the_benchmark_and_wrong_for_the_paper():
    fits = np.full((1, LEVELS), 0.5, dtype=np.float32)
    found = means(per_image(Overlaps(fits, fits), np.array([True]), choose(Overlaps(fits, fits)), SIGMA))
    assert (found["MaxBoxAcc"], found["GT-known"], found["Top-1 Loc"]) == (100, 0, 0)
    assert found["MaxBoxAccV2"] == pytest.approx(200 / 3)
