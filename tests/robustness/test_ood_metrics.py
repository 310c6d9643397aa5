"""How well scores tell images apart: against scipy, definitions written out in loops, and what holds of any scores."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import logsumexp, softmax
from scipy.stats import mannwhitneyu

from robustness.ood_metrics import METRICS, Separation, metric_name, scores, separations
from robustness.task import OOD_SCORES

SAMPLES = st.lists(st.integers(-6, 6), min_size=1, max_size=40).map(lambda values: np.array(values, dtype=float))


def metrics(inside, outside):
    """On the images as they are."""
    once = [np.ones((len(each), 1), dtype=np.int64) for each in (inside, outside)]
    return {name: float(value[0]) for name, value in Separation(inside, outside).metrics(*once).items()}


def in_loops(inside, outside):
    """The definitions, threshold by threshold."""
    thresholds = sorted({*inside, *outside}, reverse=True)
    rates = [(np.mean(inside >= t), np.mean(outside >= t)) for t in thresholds]
    false = next(f for t, f in rates if t >= 0.95)
    called = next(t for t in sorted(thresholds) if np.mean(outside <= t) >= 0.95)
    return {
        "TNR_at_TPR95": 100 * (1 - false),
        "detection_accuracy": 100 * max([0.5] + [(t + 1 - f) / 2 for t, f in rates]),
        "FPR95_OOD_positive": 100 * np.mean(inside <= called),
    }


@given(SAMPLES, SAMPLES)
def test_auroc_is_mann_and_whitneys_statistic(inside, outside):
    expected = mannwhitneyu(inside, outside).statistic / (len(inside) * len(outside))
    assert metrics(inside, outside)["AUROC"] == 100 * expected


@given(SAMPLES, SAMPLES)
def test_rates_are_those_of_the_definitions(inside, outside):
    found = metrics(inside, outside)
    for name, value in in_loops(inside, outside).items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@given(SAMPLES, SAMPLES)
def test_an_increasing_map_of_the_scores_changes_nothing(inside, outside):
    assert metrics(inside, outside) == metrics(np.exp(inside / 3), np.exp(outside / 3))


@given(SAMPLES, SAMPLES)
def test_one_metric_bounds_the_other(inside, outside):
    found = metrics(inside, outside)
    assert found["detection_accuracy"] >= (95 + found["TNR_at_TPR95"]) / 2 - 1e-9
    assert found["AUROC"] >= 0.95 * found["TNR_at_TPR95"] - 1e-9
    assert found["detection_accuracy"] >= 50


@given(SAMPLES, SAMPLES)
def test_swapping_the_sets_mirrors_auroc(inside, outside):
    assert metrics(inside, outside)["AUROC"] + metrics(outside, inside)["AUROC"] == pytest.approx(100)


@given(SAMPLES)
def test_equal_scores_tell_nothing(inside):
    found = metrics(inside, inside)
    assert (found["AUROC"], found["detection_accuracy"]) == (50, 50)


def test_scores_apart_tell_everything():
    assert metrics(np.arange(5.0, 9.0), np.arange(4.0)) == {
        **{"TNR_at_TPR95": 100, "AUROC": 100, "detection_accuracy": 100, "FPR95_OOD_positive": 0}
    }


def test_an_image_drawn_twice_counts_as_two_images():
    generator = np.random.default_rng(0)
    inside, outside = generator.integers(0, 9, 30).astype(float), generator.integers(-3, 6, 20).astype(float)
    drawn = generator.integers(0, 4, (30, 5)), generator.integers(0, 4, (20, 5))
    found = Separation(inside, outside).metrics(*drawn)
    for column in range(5):
        repeated = [np.repeat(values, times[:, column]) for values, times in zip((inside, outside), drawn, strict=True)]
        expected = metrics(*repeated)
        assert {name: value[column] for name, value in found.items()} == pytest.approx(expected)


def test_a_resample_without_one_of_the_two_is_chance():
    found = Separation(np.arange(3.0), np.arange(2.0)).metrics(np.zeros((3, 1)), np.ones((2, 1)))
    assert {name: float(value[0]) for name, value in found.items()} == {
        **{"TNR_at_TPR95": 5, "AUROC": 50, "detection_accuracy": 50, "FPR95_OOD_positive": 95}
    }


def test_scores_are_those_of_the_papers_in_double_precision():
    logits = np.random.default_rng(1).normal(0, 10, (7, 5)).astype(np.float32)
    found = scores(logits)
    assert set(found) == set(OOD_SCORES)
    np.testing.assert_allclose(found["max_softmax"], softmax(logits.astype(np.float64), axis=1).max(axis=1), rtol=1e-14)
    assert np.array_equal(found["max_logit"], logits.max(axis=1))
    np.testing.assert_allclose(found["energy"], logsumexp(logits.astype(np.float64), axis=1), rtol=1e-14)
    apart = scores(np.array([[20, 0], [22, 0]], dtype=np.float32))["max_softmax"]
    assert apart[0] < apart[1] < 1, "a softmax in single precision is 1 for both"


def test_means_are_over_the_sets_of_all_groups_and_of_each():
    generator = np.random.default_rng(2)
    places = np.repeat(np.arange(4), 25)  # 0: in distribution
    arrays = {name: generator.normal(-places, 3) for name in OOD_SCORES}
    arrays |= {name: places == place for place, name in enumerate(("near:a", "near:b", "far:c"), start=1)}
    found = separations(arrays)(np.ones((100, 1), dtype=np.int64))
    each = {
        name: metrics(arrays["max_softmax"][places == 0], arrays["max_softmax"][places == place])
        for place, name in enumerate("abc", start=1)
    }
    for metric in METRICS:
        assert all(found[f"{metric}_{name}"][0] == each[name][metric] for name in "abc")
        assert found[metric][0] == pytest.approx(np.mean([each[name][metric] for name in "abc"]))
    assert found["near_AUROC"][0] == pytest.approx(np.mean([each[name]["AUROC"] for name in "ab"]))
    assert found["far_AUROC"][0] == each["c"]["AUROC"]
    energy = metrics(arrays["energy"][places == 0], arrays["energy"][places == 3])["AUROC"]
    others = [metrics(arrays["energy"][places == 0], arrays["energy"][places == place])["AUROC"] for place in (1, 2)]
    assert found[metric_name("AUROC", "energy")][0] == pytest.approx(np.mean([energy, *others]))
    one = {name: array for name, array in arrays.items() if not name.startswith("far")}
    assert "near_AUROC" not in separations(one)(np.ones((100, 1), dtype=np.int64)), "a single group is the mean"
