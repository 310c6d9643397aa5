"""Resamples: counted draws, and metrics equal to those of the repeated images."""

from pathlib import Path

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu_scorer import BleuScorer, cook_refs, cook_test

from tests.workflow.reporting import plain
from workflow.reporting.bootstrap import CHUNK, bleu, means, meteor, resample, weights
from workflow.reporting.evidence import Evidence

CAPTIONS = [
    ("a red dog runs", ["a red dog runs fast", "the dog runs"]),
    ("a blue cat", ["a blue cat sleeps on the mat"]),
    ("a", ["one small bird", "a bird"]),
    ("the green bird sings a song of joy", ["the green bird sings a song", "a green bird sings"]),
    ("", ["an empty field", "nothing"]),
]


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


def test_bleu_is_pycocoevalcap_s_of_the_repeated_captions():
    drawn = next(weights(len(CAPTIONS), resamples=40))
    drawn[:, -1] = [0, 0, 0, 0, 5]  # nothing but an empty caption
    found = bleu(_counts(), drawn)
    for b, column in enumerate(drawn.T):
        scorer = BleuScorer(n=4)
        for image in plain.repeated(column):
            scorer += CAPTIONS[image]
        expected, _ = scorer.compute_score(option="closest")
        assert [found[f"BLEU-{n}"][b] for n in range(1, 5)] == pytest.approx([100 * v for v in expected], rel=1e-9)


def _counts():
    rows = []
    for caption, references in CAPTIONS:
        cooked = cook_test(caption, cook_refs(references))
        closest = min((abs(length - cooked["testlen"]), length) for length in cooked["reflen"])[1]
        rows.append([*cooked["correct"], *cooked["guess"], cooked["testlen"], closest])
    return np.array(rows)


def test_meteor_is_that_of_the_paper_of_the_summed_counts():
    """Denkowski and Lavie (WMT 2014), English: alpha 0.85, beta 0.2, gamma 0.6, delta 0.75, and what the four kinds of
    match count. METEOR itself is asked in tests/captioning/test_metric.py."""
    draws = np.random.default_rng(0)
    rows = []
    for _ in range(6):  # content and function words that match: more are said than meant, and some kinds twice as often
        kinds = draws.integers(1, 4, (4, 4)) + [[2, 1, 1, 0]] * 4
        said, meant = (
            kinds[:, [0, 2]].sum(0) + draws.integers(4, 9, 2),
            kinds[:, [1, 3]].sum(0) + draws.integers(0, 3, 2),
        )
        matched = [kinds[:, [0, 2]].sum(), kinds[:, [1, 3]].sum()]
        rows.append([said.sum(), meant.sum(), said[1], meant[1], *kinds.ravel(), draws.integers(1, 6), *matched])
    drawn = next(weights(6, resamples=20))
    expected = [_meteor([sum(column) for column in zip(*(rows[i] for i in plain.repeated(b)), strict=True)])
                for b in drawn.T]  # fmt: skip
    assert meteor(np.array(rows), drawn)["METEOR"] == pytest.approx(expected, rel=1e-9)


def _meteor(sums):
    (said, meant, said_function, meant_function), kinds, (chunks, *matched) = sums[:4], sums[4:20], sums[20:]
    precision = recall = 0.0
    for stage, counts in enumerate((1.0, 0.6, 0.8, 0.6)):
        said_content, meant_content, said_other, meant_other = kinds[4 * stage : 4 * stage + 4]
        precision += counts * (0.75 * said_content + 0.25 * said_other)
        recall += counts * (0.75 * meant_content + 0.25 * meant_other)
    precision /= 0.75 * (said - said_function) + 0.25 * said_function
    recall /= 0.75 * (meant - meant_function) + 0.25 * meant_function
    mean = 1 / (0.85 / recall + 0.15 / precision)
    return 100 * mean * (1 - 0.6 * (2 * chunks / sum(matched)) ** 0.2)


def test_every_metric_of_the_evidence_has_its_point_and_its_draws():
    arrays = plain.detections(1) | {"top1_error": np.linspace(0, 100, 12)}
    found = resample(Evidence(Path("x"), np.arange(12), arrays), resamples=15)
    assert set(found) == {"top1_error", "mAP", "mAP_area"}
    assert found["top1_error"].point == pytest.approx(50)
    assert found["mAP"].point == pytest.approx(plain.mean_ap(arrays, range(12), plain.eleven_points))
    drawn = next(weights(12, resamples=15))
    expected = [plain.mean_ap(arrays, plain.repeated(column), plain.area) for column in drawn.T]
    assert found["mAP_area"].draws == pytest.approx(expected)


def test_evidence_without_metrics_has_none():
    for images in (3, 0):
        assert resample(Evidence(Path("x"), np.arange(images), {}), resamples=5) == {}
