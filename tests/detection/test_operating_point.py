"""The best F1 is that of a search over all thresholds with all detections, which the per-image file need not hold."""

import numpy as np
import pytest

from detection.coco_results import arrays
from detection.metric import keep, match
from detection.operating_point import best_f1_score
from detection.task import RESAMPLING
from workflow.reporting.statistics.per_image import read

from .generated import world


def f1_of_each_threshold(matches, truth):
    """Score to F1, by counting at each score anew."""
    objects = sum(len(one["labels"]) for one in truth)
    values = {}
    for threshold in np.unique(matches["score"]):
        shown = matches["score"] >= threshold
        right = (matches["hit"][:, 0] & shown).sum()
        wrong = (~matches["hit"][:, 0] & ~matches["left"][:, 0] & shown).sum()
        values[threshold] = 2 * right / (right + wrong + objects)
    return values


@pytest.mark.parametrize("seed", range(8))
def test_no_other_score_has_a_higher_f1(tmp_path, seed):
    ids, truth, found = world(seed, 25, 6, hard=0.0)
    matches = match(arrays(found), ids, truth, 6)
    keep(tmp_path, arrays(found), ids, matches)
    score = best_f1_score(np.array([one["score"] for one in found]), read(tmp_path / "per_image.npz", (RESAMPLING,)))
    values = f1_of_each_threshold(matches, truth)
    assert values[np.float32(score)] == pytest.approx(max(values.values()), abs=1e-12)
    assert values[np.float32(score)] > values[max(values)]


def test_without_a_hit_there_is_none(tmp_path):
    ids, truth, _ = world(0, 5, 6)
    keep(tmp_path, arrays([]), ids, match(arrays([]), ids, truth, 6))
    assert best_f1_score(np.array([0.9]), read(tmp_path / "per_image.npz", (RESAMPLING,))) is None
