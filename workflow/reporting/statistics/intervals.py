"""The chance in a change: its 95 % interval, its p-value, and what both allow to say.

Every seed of either backbone meets the same images, as every reader of a reader study meets the same cases, and so it
is treated: Obuchowski and Rockette (Commun. Stat. Simul. 24, 1995), readers nested in tests, with the degrees of
freedom of Hillis (Stat. Med. 33, 2014). Checked by simulation: docs/results/coverage.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from workflow.reporting.statistics.bootstrap import Resampled

LEVEL = 0.95
ENOUGH = 3  # seeds, for their spread to be a part of the interval
IMAGES, BOTH = "test images", "seeds and test images"


class Interval(NamedTuple):
    """The 95 % interval of a change, whose chance it `covers`, and the p-value of no change (None: images alone)."""

    low: float
    high: float
    covers: str
    p: float | None


def average(runs: Sequence[Resampled]) -> Resampled:
    """The mean of several runs in each resample."""
    return Resampled(float(np.mean([run.point for run in runs])), np.mean([run.draws for run in runs], axis=0))


def interval(own: Sequence[Resampled], base: Sequence[Resampled], delta: float) -> Interval:
    """The interval around `delta`, the change in the table. `own` and `base`: one entry a seed.

    Percentiles are moved until the mean of the resamples is `delta`: the mAP of a resample, with its repeated images,
    is too high on average, and not equally so in both rows.
    """
    if min(len(own), len(base)) >= ENOUGH:
        return _with_seeds(own, base, delta)
    differences = average(own).draws - average(base).draws
    tail = 100 * (1 - LEVEL) / 2
    low, high = np.percentile(differences, [tail, 100 - tail]) + (delta - differences.mean())
    return Interval(float(low), float(high), IMAGES, None)


def _with_seeds(own: Sequence[Resampled], base: Sequence[Resampled], delta: float) -> Interval:
    """Variance from bootstraps of seeds, of images and of both (Beiden, Wagner and Campbell, Acad. Radiol. 7, 2000).

    The seeds' resamples, n - 1 drawn of n (Rao and Wu, JASA 83, 1988), need no drawing: the variance of their mean is
    the sample variance by n. With both resampled, what a seed does on an image alone counts three times (Owen, Ann.
    Appl. Stat. 1, 2007); it is a large part where networks differ in the images on which they err, so it is taken
    apart and counted once.
    """
    sides = (own, base)
    seeds = [np.var([run.point for run in side], ddof=1) / len(side) for side in sides]
    images = float(np.var(average(own).draws - average(base).draws, ddof=1))
    both = images + sum(float(np.var([run.draws for run in side], axis=0, ddof=1).mean()) / len(side) for side in sides)
    interaction = both - images - sum(seeds)
    variance = sum(seeds) + max(images - interaction, 0.0)
    spread = sum(part**2 / (len(side) - 1) for part, side in zip(seeds, sides, strict=True))
    freedom = variance**2 / spread if spread else np.inf
    error = float(variance) ** 0.5
    reach = float(stdtrit(min(freedom, 1e9), (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(min(freedom, 1e9), -abs(delta) / error)) if error else float(delta == 0)
    return Interval(delta - reach, delta + reach, BOTH, p)


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, Scand. J. Stat. 6, 1979)."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.tolist()
