"""Intervals and p-values: what they are made of, published examples, and how often they hold the truth."""

import numpy as np
import pytest
from scipy import stats

from workflow.reporting.statistics.bootstrap import Resampled, weights
from workflow.reporting.statistics.intervals import crossed, crossed_interval, holm, nested_interval, shared_covariance

WEIGHTS = np.concatenate(list(weights(150)), axis=1) / 150


def scored(values):
    """Runs (..., N) of a metric that is a mean over the images, as lists of lists."""
    if values.ndim == 1:
        return Resampled(float(values.mean()), values @ WEIGHTS)
    return [scored(one) for one in values]


def simulate(rng, n, gap=0.0, image=0.5, seed=0.05, both=1.0):
    """Two backbones with n seeds each of their own: what images share, what a backbone, a seed, and a seed on an image
    adds."""
    shared = 3 * rng.standard_normal(150)
    own = image * rng.standard_normal((2, 1, 150)) + seed * rng.standard_normal((2, n, 1))
    values = shared + own + both * rng.standard_normal((2, n, 150))
    return scored(values[0] + gap), scored(values[1])


def simulate_crossed(rng, n, m=1, gap=0.0, seed=0.3, transfer=0.0, correlation=0.0, both=0.5):
    """Two rows over the same n pretraining and m transfer seeds, whose effects on the rows correlate."""

    def effects(count, size):
        alike, apart = rng.standard_normal((1, count)), rng.standard_normal((2, count))
        return size * (np.sqrt(correlation) * alike + np.sqrt(1 - correlation) * apart)

    values = 3 * rng.standard_normal(150) + 0.5 * rng.standard_normal((2, 1, 1, 150))
    values = values + effects(n, seed)[:, :, None, None] + effects(m, transfer)[:, None, :, None]
    values = values + both * rng.standard_normal((2, n, m, 150))
    return scored(values[0] + gap), scored(values[1])


def change(sides):
    """The difference of the means."""
    own, base = (np.mean(points(side)) for side in sides)
    return float(own - base)


def points(side):
    """Of all runs of a row."""
    return [side.point] if isinstance(side, Resampled) else [value for one in side for value in points(one)]


def nested(sides, shift=0.0):
    return nested_interval(*sides, change(sides) + shift, "all")


def crossing(sides, shift=0.0):
    return crossed_interval(*sides, change(sides) + shift, "all")


READERS = np.array(
    [
        [0.91964573, 0.85877617, 0.90386473, 0.97310789, 0.82979066],
        [0.94782609, 0.90531401, 0.92173913, 0.99935588, 0.92995169],
    ]
)


def test_van_dyke_s_study_is_analysed_as_mrmcaov_and_rjafroc_do():
    """Five readers of 114 cases by two treatments; the covariances are those of their documentation."""
    difference = READERS[0] - READERS[1]
    found = crossed(difference[:, None], 2 * (0.0003440748 - 0.0002390284), float(difference.mean()), "all")
    assert difference.mean() == pytest.approx(-0.04380032, abs=1e-8)
    assert (found.low, found.high) == pytest.approx((-0.0879594986, 0.0003588544), abs=1e-6)
    assert found.p == pytest.approx(0.05166569, abs=1e-6)


def test_a_shared_covariance_below_zero_counts_as_none():
    difference = np.array([[1.0], [2.0], [4.0]])
    assert crossed(difference, -1.0, 2.0, "all") == crossed(difference, 0.0, 2.0, "all")


@pytest.mark.parametrize(("n", "m"), [(3, 1), (4, 2), (3, 3)])
def test_the_shared_covariance_is_the_mean_over_pairs_without_a_common_seed(n, m):
    draws = np.random.default_rng(0).standard_normal((n, m, 40)).cumsum(axis=0).cumsum(axis=1)
    cells = [(p, s) for p in range(n) for s in range(m)]
    pairs = [(a, b) for a in cells for b in cells if a[0] != b[0] and (a[1] != b[1] or m == 1)]
    expected = np.mean([np.cov(draws[a], draws[b])[0, 1] for a, b in pairs])
    assert shared_covariance(draws) == pytest.approx(expected)


def test_without_noise_of_the_images_crossed_seeds_are_the_paired_t_test():
    rng = np.random.default_rng(2)
    own, base = rng.standard_normal(5) + 2, rng.standard_normal(5)
    sides = [[[Resampled(value, np.full(1000, value))] for value in side] for side in (own, base)]
    found, paired = crossing(sides), stats.ttest_rel(own, base)
    assert found.p == pytest.approx(paired.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(paired.confidence_interval()))


def test_seeds_that_do_the_same_to_both_rows_do_not_widen_it():
    sides = simulate_crossed(np.random.default_rng(0), 5, seed=2.0, correlation=0.98)
    widths = [np.ptp(found[:2]) for found in (crossing(sides), nested([[row[0] for row in side] for side in sides]))]
    assert widths[0] < 0.5 * widths[1]


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
@pytest.mark.parametrize("n", [3, 5])
def test_crossed_its_coverage_is_what_it_says_at_any_correlation(n, correlation):
    rng = np.random.default_rng(3)
    pairs = (simulate_crossed(rng, n, gap=0.3, correlation=correlation) for _ in range(400))
    found = [crossing(sides) for sides in pairs]
    assert 0.92 <= np.mean([one.low <= 0.3 <= one.high for one in found]) <= 0.98


def test_transfer_seeds_are_a_chance_of_their_own():
    """Several are estimated; the interval of one misses what another would have added."""
    found = {}
    for m in (1, 3):
        rng = np.random.default_rng(4)
        pairs = (simulate_crossed(rng, 5, m, gap=0.3, seed=0.3, transfer=0.3) for _ in range(300))
        found[m] = np.mean([one.low <= 0.3 <= one.high for one in map(crossing, pairs)])
    assert found[1] < 0.8
    assert 0.92 <= found[3] <= 0.99


def test_seeds_that_matter_only_in_pairs_do_not_make_it_endless():
    """The mean squares of either kind of seed can then be far below what is taken off."""
    rng, found = np.random.default_rng(6), []
    for _ in range(2000):
        differences = rng.standard_normal((3, 3))
        found.append(crossed(differences, 0.0, float(differences.mean()), "all"))
    assert np.mean([one.low <= 0 <= one.high for one in found]) >= 0.95
    widths = [one.high - one.low for one in found]
    assert max(widths) < 6 * np.median(widths)


def test_of_two_kinds_of_seeds_the_one_that_does_more_than_pairs_stands_alone():
    """It is the t test of the pretraining seeds' means."""
    differences = np.array([[1.0, 2.0, 0.9], [4.0, 3.1, 4.0], [7.0, 7.9, 7.1]])
    means = differences.mean(axis=1)
    found, alone = crossed(differences, 0.0, float(means.mean()), "all"), stats.ttest_1samp(means, 0.0)
    assert found.p == pytest.approx(alone.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(alone.confidence_interval()))


def test_where_no_kind_of_seeds_does_more_than_pairs_all_differences_are_pooled():
    """Means of seeds that lie together by chance make no narrow interval."""
    differences = np.array([[1.0, 5.0, 9.0], [5.0, 9.0, 1.0], [9.0, 1.0, 5.1]])
    found, all_of_them = (
        crossed(differences, 0.0, float(differences.mean()), ""),
        stats.ttest_1samp(differences.ravel(), 0),
    )
    assert found.p == pytest.approx(all_of_them.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(all_of_them.confidence_interval()))


@pytest.mark.parametrize("n", [3, 5])
def test_resamples_that_are_too_high_do_not_move_it(n):
    own, base = simulate(np.random.default_rng(5), n)
    leaning = [Resampled(run.point, run.draws + 3) for run in own]
    straight, found = (nested((side, base)) for side in (own, leaning))
    assert (found.low, found.high) == pytest.approx((straight.low, straight.high))
    straight, found = (crossing([[[run] for run in side] for side in (one, base)]) for one in (own, leaning))
    assert (found.low, found.high) == pytest.approx((straight.low, straight.high))


def test_images_that_are_hard_for_both_do_not_widen_it():
    rng = np.random.default_rng(0)
    paired = simulate(rng, 3, image=0.1, seed=0, both=0.1)
    other = simulate(rng, 3, image=0.1, seed=0, both=0.1)
    widths = [np.ptp(nested(sides)[:2]) for sides in (paired, (paired[0], other[1]))]
    assert widths[0] < 0.2 * widths[1]


def test_it_stands_around_the_change_in_the_table():
    sides = simulate(np.random.default_rng(1), 3)
    for found in (nested, lambda sides, shift=0.0: crossing([[[run] for run in side] for side in sides], shift)):
        here, there = (found(sides, shift) for shift in (0, 7))
        assert (there.low, there.high) == pytest.approx((here.low + 7, here.high + 7))


def test_nested_without_noise_of_the_images_it_is_welch_s():
    rng = np.random.default_rng(2)
    own, base = rng.standard_normal(3) + 2, 3 * rng.standard_normal(6)
    sides = [[Resampled(value, np.full(1000, value)) for value in side] for side in (own, base)]
    found, welch = nested(sides), stats.ttest_ind(own, base, equal_var=False)
    assert found.p == pytest.approx(welch.pvalue)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval()))


def test_equal_networks_do_not_differ_and_sure_ones_do():
    sides = [[Resampled(5.0, np.full(1000, 5.0))] * 3] * 2
    grids = [[[run] for run in side] for side in sides]
    for found in (nested_interval(*sides, 0.0, "all"), crossed_interval(*grids, 0.0, "all")):
        assert found == (0.0, 0.0, "all", 1.0)
    for found in (nested_interval(*sides, 1.0, "all"), crossed_interval(*grids, 1.0, "all")):
        assert found == (1.0, 1.0, "all", 0.0)


@pytest.mark.parametrize("parts", [dict(both=1.0, image=0.0, seed=0.0), dict(both=0.5, image=0.5, seed=0.05)])
@pytest.mark.parametrize("n", [3, 5])
def test_nested_its_coverage_is_what_it_says(n, parts):
    rng = np.random.default_rng(3)
    found = [nested(sides) for sides in (simulate(rng, n, gap=0.3, **parts) for _ in range(400))]
    assert 0.92 <= np.mean([one.low <= 0.3 <= one.high for one in found]) <= 0.97


def test_holm_corrects_for_the_number_of_rows():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.02]) == pytest.approx([0.02])
    assert holm([]) == []
