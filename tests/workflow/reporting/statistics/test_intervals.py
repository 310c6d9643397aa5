"""Intervals and p-values: what they are made of, and how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from workflow.reporting.statistics.bootstrap import Resampled, weights
from workflow.reporting.statistics.intervals import BOTH, IMAGES, holm, interval

WEIGHTS = np.concatenate(list(weights(150)), axis=1) / 150


def scored(values):
    """Runs (n, N) of a metric that is a mean over the images."""
    return [Resampled(float(run.mean()), run @ WEIGHTS) for run in np.atleast_2d(values)]


def simulate(rng, n, gap=0.0, image=0.5, seed=0.05, both=1.0):
    """Two backbones with n seeds: what images share, what a backbone, a seed, and a seed on an image adds."""
    shared = 3 * rng.standard_normal(150)
    own = image * rng.standard_normal((2, 1, 150)) + seed * rng.standard_normal((2, n, 1))
    values = shared + own + both * rng.standard_normal((2, n, 150))
    return scored(values[0] + gap), scored(values[1])


def change(sides):
    return float(np.mean([run.point for run in sides[0]]) - np.mean([run.point for run in sides[1]]))


@pytest.mark.parametrize("n", [1, 2])
def test_with_few_seeds_it_is_the_paired_bootstrap_of_the_images(n):
    sides = simulate(np.random.default_rng(0), n)
    found = interval(*sides, change(sides))
    differences = np.mean([run.draws for run in sides[0]], axis=0) - np.mean([run.draws for run in sides[1]], axis=0)
    limits = np.percentile(differences - differences.mean(), [2.5, 97.5]) + change(sides)
    assert (found.low, found.high) == pytest.approx(limits)
    assert (found.covers, found.p) == (IMAGES, None)


@pytest.mark.parametrize("n", [1, 3])
def test_resamples_that_are_too_high_do_not_move_it(n):
    own, base = simulate(np.random.default_rng(5), n)
    leaning = [Resampled(run.point, run.draws + 3) for run in own]
    straight, found = (interval(side, base, change((own, base))) for side in (own, leaning))
    assert (found.low, found.high) == pytest.approx((straight.low, straight.high))


def test_one_side_with_few_seeds_is_enough_for_that():
    rng = np.random.default_rng(0)
    assert interval(simulate(rng, 5)[0], simulate(rng, 2)[1], 0.0).covers == IMAGES
    assert interval(simulate(rng, 3)[0], simulate(rng, 3)[1], 0.0).covers == BOTH


def test_images_that_are_hard_for_both_do_not_widen_it():
    rng = np.random.default_rng(0)
    paired = simulate(rng, 1, image=0.1, seed=0, both=0.1)
    other = simulate(rng, 1, image=0.1, seed=0, both=0.1)
    widths = [np.diff(interval(*sides, 0.0)[:2])[0] for sides in (paired, (paired[0], other[1]))]
    assert widths[0] < 0.1 * widths[1]


def test_it_stands_around_the_change_in_the_table():
    for n in (1, 3):
        sides = simulate(np.random.default_rng(1), n)
        here, there = (interval(*sides, change(sides) + shift) for shift in (0, 7))
        assert (there.low, there.high) == pytest.approx((here.low + 7, here.high + 7))


def test_without_noise_of_the_images_it_is_welch_s():
    rng = np.random.default_rng(2)
    own, base = rng.standard_normal(3) + 2, 3 * rng.standard_normal(6)
    sides = [[Resampled(value, np.full(1000, value)) for value in side] for side in (own, base)]
    found, welch = interval(*sides, change(sides)), stats.ttest_ind(own, base, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval()))


def test_equal_networks_do_not_differ_and_sure_ones_do():
    sides = [[Resampled(5.0, np.full(1000, 5.0))] * 3] * 2
    assert interval(*sides, 0.0) == (0.0, 0.0, BOTH, 1.0)
    assert interval(*sides, 1.0) == (1.0, 1.0, BOTH, 0.0)


@pytest.mark.parametrize("parts", [dict(both=1.0, image=0.0, seed=0.0), dict(both=0.5, image=0.5, seed=0.05)])
@pytest.mark.parametrize("n", [3, 5])
def test_its_coverage_is_what_it_says(n, parts):
    rng = np.random.default_rng(3)
    found = [interval(*sides, change(sides)) for sides in (simulate(rng, n, gap=0.3, **parts) for _ in range(400))]
    assert 0.92 <= np.mean([one.low <= 0.3 <= one.high for one in found]) <= 0.97


def test_images_alone_miss_what_seeds_add():
    rng = np.random.default_rng(4)
    parts = dict(gap=0.3, image=0.1, seed=0.1, both=0.1)
    found = [interval(*sides, change(sides)) for sides in (simulate(rng, 1, **parts) for _ in range(200))]
    assert np.mean([one.low <= 0.3 <= one.high for one in found]) < 0.5


def test_holm_corrects_for_the_number_of_rows():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]) == []
