"""The planner of seeds against studies that are simulated image by image, through the interval of the report."""

import numpy as np
import pytest

from workflow.core.rng import rng
from workflow.reporting.statistics.bootstrap import Resampled
from workflow.reporting.statistics.intervals import crossed_interval
from workflow.reporting.statistics.power import Spread, estimated, needed_seeds, pooled, smallest_gap, spread_of
from workflow.reporting.summary import summarize

PHOTOS, STUDIES = 100, 400
ON_IMAGES = 2.0  # standard deviation of what a change adds to an image, and of what a pair of seeds adds to one


def study(random, spread: Spread, gap: float, n: int, m: int):
    """The interval of two rows with a known gap, from per-image scores."""
    values = np.zeros((2, n, m, PHOTOS))
    values[0] += gap + spread.seed * random.standard_normal((n, 1, 1))
    values[0] += spread.transfer * random.standard_normal((1, m, 1)) + ON_IMAGES * random.standard_normal(PHOTOS)
    values[0] += ON_IMAGES * random.standard_normal((n, m, PHOTOS))
    values += 3 * random.standard_normal(PHOTOS)  # images are easy or hard for both
    drawn = random.multinomial(PHOTOS, np.full(PHOTOS, 1 / PHOTOS), size=100).T / PHOTOS
    means, draws = values.mean(axis=-1), values @ drawn
    own, base = (
        [[Resampled(float(means[side, p, s]), draws[side, p, s]) for s in range(m)] for p in range(n)]
        for side in (0, 1)
    )
    return crossed_interval(own, base, float((means[0] - means[1]).mean()), "")


@pytest.mark.parametrize(("n", "m"), [(3, 1), (6, 1), (5, 3)])
def test_a_gap_that_is_planned_for_is_found_in_four_of_five_studies(n, m):
    by_images = ON_IMAGES / PHOTOS**0.5
    spread = Spread(seed=0.4, images=by_images, transfer=0.0 if m == 1 else 0.2, rest=by_images)
    gap, random = smallest_gap(spread, n, m), rng("studies", n, m)
    found = [study(random, spread, gap, n, m).low > 0 for _ in range(STUDIES)]
    assert np.mean(found) == pytest.approx(0.8, abs=0.07)


def test_components_are_those_that_differences_were_made_with():
    random, found = rng("components"), []
    for _ in range(500):
        seeds, transfers = 0.4 * random.standard_normal((6, 1)), 0.3 * random.standard_normal((1, 4))
        found.append(estimated(seeds + transfers + 0.1 * random.standard_normal((6, 4)), 0.04))
    one = pooled(found)
    assert (one.seed, one.images, one.rest) == pytest.approx((0.4, 0.2, 0.1), abs=0.02)
    assert one.transfer == pytest.approx(0.3, abs=0.03)
    assert estimated(np.array([[1.0], [2.0], [3.0]]), 0.0) == Spread(1.0, 0.0), (
        "one transfer seed: its effect is unknown"
    )


def test_more_seeds_find_smaller_gaps_and_too_few_none():
    spread = Spread(seed=0.5, images=0.1)
    gaps = [smallest_gap(spread, n, 1) for n in (2, 3, 5, 10)]
    assert gaps[0] == float("inf"), "with two seeds there is no verdict"
    assert gaps[1] > gaps[2] > gaps[3] > 0
    n = needed_seeds(spread, 0.6, 1)
    assert smallest_gap(spread, n, 1) <= 0.6 < smallest_gap(spread, n - 1, 1)
    assert needed_seeds(spread, 0.1, 1) is None


def test_the_spread_of_records_is_that_of_their_changes(certain):
    summary = summarize(certain(3).plan)
    own, base = (summary.cells[row, "nic_coco", "CIDEr"].runs for row in ("cutmix", "baseline"))
    task = summary.tasks["nic_coco"]
    found = spread_of(own, base, "CIDEr", task)
    assert found.seed == pytest.approx(2.0), "60 + seed against 50 - seed"
    assert found.transfer is None
    assert spread_of(own[:1], base, "CIDEr", task) is None
    assert spread_of(own, base, "BLEU-4", task) is None, "without a per-image file there is no spread"
