"""BLEU and METEOR of resamples equal those of the repeated captions."""

import numpy as np
import pytest
from pycocoevalcap.bleu.bleu_scorer import BleuScorer, cook_refs, cook_test

from captioning.resampling import bleu, meteor
from tests.workflow.reporting import plain
from workflow.reporting.statistics.bootstrap import weights

CAPTIONS = [
    ("a red dog runs", ["a red dog runs fast", "the dog runs"]),
    ("a blue cat", ["a blue cat sleeps on the mat"]),
    ("a", ["one small bird", "a bird"]),
    ("the green bird sings a song of joy", ["the green bird sings a song", "a green bird sings"]),
    ("", ["an empty field", "nothing"]),
]


def test_bleu_is_pycocoevalcap_s_of_the_repeated_captions():
    drawn = next(weights(len(CAPTIONS), resamples=40))
    drawn[:, -1] = [0, 0, 0, 0, 5]  # nothing but an empty caption
    found = bleu({"bleu": _counts()})(drawn)
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
    match count. METEOR itself is asked in test_metric.py."""
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
    assert meteor({"meteor": np.array(rows)})(drawn)["METEOR"] == pytest.approx(expected, rel=1e-9)


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
