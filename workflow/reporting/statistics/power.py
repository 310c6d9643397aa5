"""Which gap is found with how many seeds: simulated changes through the interval of the report (intervals.py)."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from workflow.contracts import Task
from workflow.core.rng import rng
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.statistics.intervals import ENOUGH, crossed, mean_squares, shared_covariance
from workflow.reporting.statistics.levels import draws_of
from workflow.reporting.statistics.pairing import pairing_of

POWER, DRAWS, MOST = 0.8, 1000, 50  # share of studies that find the gap, simulated studies, seeds that are tried


@dataclass(frozen=True)
class Spread:
    """Standard deviations of a change, in the unit of the metric.

    Args:
        seed: of what a pretraining seed adds.
        images: of what the test images add, to all seeds alike.
        transfer: of what a transfer seed adds, to all pretrainings alike; None if unknown.
        rest: of what a pair of both seeds adds beyond.
    """

    seed: float
    images: float
    transfer: float | None = None
    rest: float = 0.0


def spread_of(own: Sequence[FinishedRun], base: Sequence[FinishedRun], metric: str, task: Task) -> Spread | None:
    """That of the change between two rows, by the mean squares of their seeds; None without two common pretraining
    seeds, with transfer seeds that differ, or without per-image files."""
    design = pairing_of(own, base) if own and base else None
    if not design or not design.grid or len(design.own) < 2 or design.own[0][0].seeds == design.own[1][0].seeds:
        return None
    sides = [[[draws_of(run, task).get(metric) for run in row] for row in side] for side in (design.own, design.base)]
    if any(one is None for side in sides for row in side for one in row):
        return None
    points, draws = (
        np.array([[[getattr(one, name) for one in row] for row in side] for side in sides])
        for name in ("point", "draws")
    )
    return estimated(points[0] - points[1], max(shared_covariance(draws[0] - draws[1]), 0.0))


def estimated(differences: np.ndarray, shared: float) -> Spread:
    """The components of differences (n pretraining seeds, m transfer seeds) of which images share `shared`."""
    n, m = differences.shape
    seeds, *others = mean_squares(differences)
    if not others:
        return Spread(seeds**0.5, shared**0.5)
    transfers, rest = others
    parts = max((seeds - rest) / m, 0.0), max((transfers - rest) / n, 0.0)
    return Spread(parts[0] ** 0.5, shared**0.5, parts[1] ** 0.5, rest**0.5)


def pooled(found: Sequence[Spread]) -> Spread:
    """The root mean squares of several rows' spreads."""

    def mean(values: Sequence[float]) -> float:
        return float(np.mean(np.square(values)) ** 0.5)

    known = [one.transfer for one in found if one.transfer is not None]
    return Spread(
        mean([one.seed for one in found]),
        mean([one.images for one in found]),
        mean(known) if known else None,
        mean([one.rest for one in found]),
    )


@functools.cache
def smallest_gap(spread: Spread, n: int, m: int) -> float:
    """The gap that is found in 80 % of studies with n pretraining and m transfer seeds; infinite where there is no
    verdict. A study finds it if the interval is on its side of 0, as without correction for further rows."""
    if n < ENOUGH:
        return float("inf")
    random = rng("power", n, m)
    needed = []
    for _ in range(DRAWS):
        changes = spread.seed * random.standard_normal((n, 1)) + spread.rest * random.standard_normal((n, m))
        changes = changes + (spread.transfer or 0.0) * random.standard_normal((1, m))
        delta = float(changes.mean()) + spread.images * float(random.standard_normal())
        needed.append(-crossed(changes, spread.images**2, delta, "").low)
    return float(np.quantile(needed, POWER))


def needed_seeds(spread: Spread, gap: float, m: int) -> int | None:
    """The pretraining seeds with which a gap is found; None if they are more than MOST."""
    low, high = ENOUGH, MOST
    if smallest_gap(spread, high, m) > gap:
        return None
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if smallest_gap(spread, middle, m) <= gap else (middle + 1, high)
    return low
