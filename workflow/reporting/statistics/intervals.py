"""The chance in a change: its 95 % interval, its p-value, and what both allow to say.

Every seed of either backbone meets the same images, as every reader of a reader study meets the same cases, and so it
is treated: Obuchowski and Rockette (Commun. Stat. Simul. 24, 1995) with the degrees of freedom of Hillis (Stat. Med.
26, 2007; 33, 2014). Rows of one table share their seeds, hence initial weights and the order of the data: seeds are
crossed with rows. Rows without a common seed have seeds that are nested in them. Checked by simulation:
docs/results/coverage.md.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from workflow.reporting.statistics.bootstrap import Resampled

LEVEL = 0.95
ENOUGH = 3  # seeds, for their spread to be a part of the interval


class Interval(NamedTuple):
    """The 95 % interval of a change, whose chance it `covers`, and the p-value of no change."""

    low: float
    high: float
    covers: str
    p: float


def average(runs: Sequence[Resampled]) -> Resampled:
    """The mean of several runs in each resample."""
    return Resampled(float(np.mean([run.point for run in runs])), np.mean([run.draws for run in runs], axis=0))


def crossed_interval(
    own: Sequence[Sequence[Resampled]], base: Sequence[Sequence[Resampled]], delta: float, covers: str
) -> Interval:
    """The interval around `delta` of two rows with the same seeds.

    The variance is that of Obuchowski and Rockette for readers that are crossed with two tests, written for the
    differences: with one transfer seed MS(T*R) is half of their mean square, and 2 (Cov2 - Cov3) the covariance of two
    of them, which the resamples of the images give. Transfer seeds are a second crossed factor.

    Args:
        own: for each pretraining seed one entry for each transfer seed, one at least.
        base: the same seeds in the same order.
        delta: mean of the differences.
        covers: whose chance that is.
    """
    differences = np.array([[run.point for run in row] for row in own])
    differences -= np.array([[run.point for run in row] for row in base])
    draws = np.array([[run.draws for run in row] for row in own]) - np.array(
        [[run.draws for run in row] for row in base]
    )
    return crossed(differences, shared_covariance(draws), delta, covers)


def shared_covariance(draws: np.ndarray) -> float:
    """Of two differences that share neither seed, over the resamples of the images: (n, m, B) differences."""
    away = draws - draws.mean(axis=2, keepdims=True)
    n, m, count = away.shape
    rows, columns = away.sum(axis=1), away.sum(axis=0)
    products = (rows.sum(axis=0) ** 2).sum() - (rows**2).sum()
    pairs = n * (n - 1) * m * m
    if m > 1:
        products += (away**2).sum() - (columns**2).sum()
        pairs = n * (n - 1) * m * (m - 1)
    return float(products / pairs / (count - 1))


def mean_squares(differences: np.ndarray) -> list[float]:
    """Of differences (n pretraining seeds, m transfer seeds): of the pretraining seeds and, with several transfer
    seeds, of these and of what pairs of both do beyond them."""
    n, m = differences.shape
    rows, columns = differences.mean(axis=1), differences.mean(axis=0)
    found = [m * float(np.var(rows, ddof=1))]
    if m > 1:
        pairs = differences - rows[:, None] - columns + differences.mean()
        found += [n * float(np.var(columns, ddof=1)), float((pairs**2).sum() / ((n - 1) * (m - 1)))]
    return found


def crossed(differences: np.ndarray, shared: float, delta: float, covers: str) -> Interval:
    """The interval of differences (n pretraining seeds, m transfer seeds) with the covariance `shared` by the images.

    Mean squares of a two-way layout of random factors: those of both kinds of seeds less that of pairs, in expectation
    the variance of n m means. Where less is left of it than the larger of the two, the seeds of the other kind do no
    more than pairs do, and the larger one alone stands. Where neither is above that of pairs, no kind of seeds shows an
    effect, and all n m differences are pooled. Degrees of freedom are those of the mean squares that stand
    (Satterthwaite, Biometrics 2, 1946; with m = 1 Hillis'): what is taken off does not make the rest less known.
    """
    n, m = differences.shape
    seeds, *others = mean_squares(differences)
    squares = [(seeds, n - 1)]
    if others:
        transfers, pairs = others
        squares.append((transfers, m - 1))
        seeds += transfers - pairs
        if pairs > (larger := max(squares))[0]:
            larger = float(np.var(differences, ddof=1)), n * m - 1
        if seeds < larger[0]:
            seeds, squares = larger[0], [larger]
    variance = seeds / (n * m) + max(shared, 0.0)
    spread = sum((square / (n * m)) ** 2 / freedom for square, freedom in squares)
    return _student(delta, variance, variance**2 / spread if spread else np.inf, covers)


def nested_interval(own: Sequence[Resampled], base: Sequence[Resampled], delta: float, covers: str) -> Interval:
    """The interval around `delta` of two rows without a seed in common, one entry a seed.

    Variance from bootstraps of seeds, of images and of both (Beiden, Wagner and Campbell, Acad. Radiol. 7, 2000). The
    seeds' resamples, n - 1 drawn of n (Rao and Wu, JASA 83, 1988), need no drawing: the variance of their mean is
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
    return _student(delta, float(variance), float(variance**2 / spread) if spread else np.inf, covers)


def _student(delta: float, variance: float, freedom: float, covers: str) -> Interval:
    error, freedom = variance**0.5, min(freedom, 1e9)
    reach = float(stdtrit(freedom, (1 + LEVEL) / 2)) * error
    p = 2 * float(stdtr(freedom, -abs(delta) / error)) if error else float(delta == 0)
    return Interval(delta - reach, delta + reach, covers, p)


def holm(p: Sequence[float]) -> list[float]:
    """P-values corrected for their number (Holm, Scand. J. Stat. 6, 1979)."""
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, dtype=float)[order] * np.arange(len(p), 0, -1)
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return corrected.tolist()
