"""The 95 % interval of a value itself, not of its change: for numbers that were measured elsewhere."""

from collections.abc import Sequence
from statistics import fmean

import numpy as np

from workflow.contracts import Task
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.statistics import per_image
from workflow.reporting.statistics.bootstrap import Resampled
from workflow.reporting.statistics.intervals import ENOUGH, average, crossed, shared_covariance
from workflow.reporting.statistics.pairing import same_transfers, units
from workflow.reporting.statistics.resamples import resampled


def level(runs: Sequence[FinishedRun], metric: str, task: Task) -> tuple[float, float] | None:
    """The limits of the mean of a metric over the chance of seeds and test images; None with fewer than three
    pretrainings, or where a run has no per-image file. The design is that of a change (intervals.py) with one row."""
    groups = [group for (kind, _), group in units(runs).items() if kind == "pretrain"]
    if len(groups) < ENOUGH:
        return None
    drawn = [[draws_of(run, task).get(metric) for run in group] for group in groups]
    values = [[one for one in group if one is not None] for group in drawn]
    if [len(group) for group in values] != [len(group) for group in groups]:
        return None
    if not same_transfers(tuple(map(tuple, groups))):
        values = [[average(group)] for group in values]
    points = np.array([[one.point for one in group] for group in values])
    draws = np.array([[one.draws for one in group] for group in values])
    mean = fmean(fmean(run.record["metrics"][metric] for run in group) for group in groups)
    found = crossed(points, shared_covariance(draws), mean, "")
    return found.low, found.high


def draws_of(run: FinishedRun, task: Task) -> dict[str, Resampled]:
    """A run's metrics in each resample, as they are kept next to its record; {} without a per-image file."""
    found = per_image.read(run.path.with_name("per_image.npz"), task.resampling)
    return resampled(found, lambda _: None) if found else {}
