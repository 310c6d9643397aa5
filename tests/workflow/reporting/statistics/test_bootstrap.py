"""Resamples: counted draws, and metrics equal to those of the repeated images."""

from pathlib import Path

import numpy as np
import pytest

from detection.task import RESAMPLING
from tests.workflow.reporting import plain
from workflow.reporting.statistics.bootstrap import CHUNK, means, resample, weights
from workflow.reporting.statistics.per_image import Evidence


def test_a_resample_draws_as_many_images_as_there_are():
    pieces = list(weights(50, resamples=CHUNK + 7))
    assert [piece.shape for piece in pieces] == [(50, CHUNK), (50, 7)]
    drawn = np.concatenate(pieces, axis=1)
    assert set(drawn.sum(axis=0)) == {50}
    assert len({column.tobytes() for column in drawn.T}) == CHUNK + 7
    assert drawn.mean(axis=1) == pytest.approx(np.ones(50), abs=0.5)
    assert drawn.var() == pytest.approx(1 - 1 / 50, abs=0.06)


def test_the_draws_follow_from_the_number_of_images_and_of_the_resample():
    short, long = next(weights(20, resamples=5)), next(weights(20, resamples=30))
    assert np.array_equal(short, long[:, :5])
    assert not np.array_equal(short, next(weights(21, resamples=5))[:20])


def test_means_are_those_of_the_repeated_images():
    values = np.random.default_rng(0).random(9)
    drawn = next(weights(9, resamples=10))
    expected = [np.mean([values[image] for image in plain.repeated(column)]) for column in drawn.T]
    assert means({"CIDEr": values}, drawn)["CIDEr"] == pytest.approx(expected)


def test_every_metric_of_the_evidence_has_its_point_and_its_draws():
    arrays = plain.detections(1) | {"top1_error": np.linspace(0, 100, 12)}
    found = resample(Evidence(Path("x"), np.arange(12), arrays, resampling=(RESAMPLING,)), resamples=15)
    assert set(found) == {"top1_error", "mAP", "mAP_area"}
    assert found["top1_error"].point == pytest.approx(50)
    assert found["mAP"].point == pytest.approx(plain.mean_ap(arrays, range(12), plain.eleven_points))
    drawn = next(weights(12, resamples=15))
    expected = [plain.mean_ap(arrays, plain.repeated(column), plain.area) for column in drawn.T]
    assert found["mAP_area"].draws == pytest.approx(expected)


def test_evidence_without_metrics_has_none():
    for images in (3, 0):
        assert resample(Evidence(Path("x"), np.arange(images), {}), resamples=5) == {}
