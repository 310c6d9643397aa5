"""The mean corruption error against its definition, and the points of curves in resamples."""

import numpy as np
import pytest

from robustness.scores import ALEXNET, corrupted, curve_points
from workflow.data.sets.imagenet_c import CORRUPTIONS, SEVERITIES


@pytest.fixture
def predictions_and_labels():
    draw = np.random.default_rng(0)
    label = draw.integers(0, 3, 40)
    return draw.integers(0, 3, (40, len(CORRUPTIONS), len(SEVERITIES))), label


def test_the_mean_corruption_error_is_a_mean_of_ratios_to_alexnet(predictions_and_labels):
    """CE of a corruption: the errors of its severities, summed, over those of AlexNet, whose published rate is their
    mean."""
    predicted, label = predictions_and_labels
    metrics, flags = corrupted(predicted, label)
    errors = [
        [np.mean([p != t for p, t in zip(predicted[:, c, s], label, strict=True)]) for s in range(5)] for c in range(15)
    ]
    ce = [sum(rates) / (5 * alexnet) for rates, alexnet in zip(errors, ALEXNET.values(), strict=True)]
    assert metrics["mCE"].mean() == pytest.approx(100 * np.mean(ce))
    assert metrics["accuracy"].mean() == pytest.approx(100 - 100 * np.mean(errors))
    assert flags["corruption_errors"].shape == (40, 15, 5)


def test_the_rates_of_alexnet_are_the_published_ones():
    """Of the benchmark's own code, in its order."""
    published = """.886428 .894468 .922640 .819880 .826268 .785948 .798360 .866816 .826572 .819324 .564592 .853204
    .646056 .717840 .606500"""
    assert tuple(ALEXNET) == CORRUPTIONS
    assert list(ALEXNET.values()) == [float(rate) for rate in published.split()]


def test_a_perfect_network_has_0_and_one_that_is_always_wrong_more_than_100():
    label = np.zeros(10, int)
    assert corrupted(np.zeros((10, 15, 5), int), label)[0]["mCE"].mean() == 0
    always_wrong = corrupted(np.ones((10, 15, 5), int), label)[0]
    assert always_wrong["mCE"].mean() == pytest.approx(100 * np.mean([1 / rate for rate in ALEXNET.values()]))
    assert always_wrong["mCE"].mean() > 100
    assert always_wrong["accuracy"].mean() == 0


def test_the_points_of_a_curve_are_weighted_shares():
    flags = np.array([[True, False], [True, True], [False, False]])
    weights = np.array([[1, 3], [1, 0], [1, 0]])
    points = curve_points({"fgsm": flags})(weights)
    assert points["fgsm 0"].tolist() == pytest.approx([200 / 3, 100])
    assert points["fgsm 1"].tolist() == pytest.approx([100 / 3, 0])
    assert curve_points({"c": np.zeros((3, 15, 5), bool)})(weights).keys() == {f"c {n}" for n in range(75)}
