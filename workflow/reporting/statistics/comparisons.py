"""The changes of a table against its baselines: how sure is each? Reads the evidence beside the records."""

from collections.abc import Mapping
from typing import NamedTuple

from tqdm import tqdm

from workflow.contracts import Metric, Task
from workflow.core.errors import UserError
from workflow.reporting.comparability import refuse_repeated
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.statistics import per_image
from workflow.reporting.statistics.bootstrap import RESAMPLES, Resampled
from workflow.reporting.statistics.intervals import (
    ENOUGH,
    LEVEL,
    Interval,
    average,
    crossed_interval,
    holm,
    nested_interval,
)
from workflow.reporting.statistics.pairing import pairing_of
from workflow.reporting.statistics.resamples import resampled

ROUNDING = 0.01  # percent of a metric's range (points, of a percentage) by which a record may differ from its evidence:
# some scorers compute in float32
QUICK = 3  # seconds of resampling that need no progress bar

Key = tuple[str, str, str]


class Contrast(NamedTuple):
    """What the table says of a cell: its change against the row `baseline` (which may be its own) and the runs behind
    it. A `imported` backbone is what it is: there is no other pretraining of it."""

    delta: float
    runs: tuple[FinishedRun, ...]
    imported: bool
    baseline: str

    @property
    def single_pretraining(self) -> bool:
        """Is all from one pretraining, where others would have come out otherwise?"""
        return not self.imported and len({run.seeds["pretrain"] for run in self.runs}) == 1


class Comparison(NamedTuple):
    """As the fields of a Cell."""

    low: float | None = None
    high: float | None = None
    covers: str = ""
    verdict: str = ""


def changes(table: dict[Key, Contrast], tasks: Mapping[str, Task]) -> dict[Key, Comparison]:
    """(backbone, task, metric) to interval and verdict, for all but baselines. UserError if evidence is at fault."""
    judged: dict[Key, Comparison] = {}
    for name, task in tasks.items():
        column = {key: change for key, change in table.items() if key[1] == name}
        draws = _draws(name, task, [run for change in column.values() for run in change.runs])
        for metric in task.metrics:
            cells = {key: change for key, change in column.items() if key[2] == metric.name}
            judged |= _column(cells, metric, draws)
    return judged


Draws = dict[str, dict[str, Resampled]]  # a run's name to its metrics


def _draws(name: str, task: Task, runs: list[FinishedRun]) -> Draws:
    """Each run's metrics in each resample; a run without evidence has none."""
    draws: Draws = {}
    first = None
    seen: dict[tuple[str, str, str], FinishedRun] = {}
    each = {run.name: run for run in runs}.values()
    with tqdm(desc=f"resampling {name}", total=len(each) * RESAMPLES, unit="resample", delay=QUICK) as bar:
        for run in each:
            found = per_image.read(run.path.with_name("per_image.npz"), task.resampling)
            if found is None:
                bar.update(RESAMPLES)
                continue
            if found.sha256 != run.record["files"].get(found.path.name):
                raise UserError(f"{found.path}: not the file that the run of {run.path.name} has written")
            first = first or found
            per_image.check_same_images(first, found)
            for what, hashed in found.unique.items():
                if (one := seen.setdefault((run.backbone, what, hashed), run)) is not run:
                    refuse_repeated(one, run, what)
            draws[run.name] = resampled(found, bar.update)
            _check_values(run, task, found, draws[run.name])
    return draws


def _check_values(run: FinishedRun, task: Task, found: per_image.Evidence, draws: dict[str, Resampled]) -> None:
    if lacking := [metric for metric in run.record["metrics"] if metric not in draws]:
        raise UserError(f"{found.path}: lacks what {', '.join(lacking)} in {run.path.name} is made of")
    for metric in (metric for metric in task.metrics if metric.name in run.record["metrics"]):
        value, point = run.record["metrics"][metric.name], draws[metric.name].point
        if abs(point - value) > ROUNDING * min(1.0, metric.maximum / 100):
            digits = max(4, metric.digits)
            raise UserError(
                f"{found.path}: {metric.name} is {point:.{digits}f} by it and {value:.{digits}f} in {run.path.name}: "
                "they are not of one run"
            )


def _column(column: dict[Key, Contrast], metric: Metric, draws: Draws) -> dict[Key, Comparison]:
    """The verdicts of one metric of one task, corrected for the finished rows that can have one, whatever network."""
    pairs = {key: (change, column[change.baseline, *key[1:]]) for key, change in column.items()}
    pairs = {key: pair for key, pair in pairs.items() if pair[0] is not pair[1]}
    found = {key: _interval(*pair, metric.name, draws) for key, pair in pairs.items()}
    p = {key: one.p for key, one in found.items() if one and not _single_pretraining(*pairs[key])}
    corrected = dict(zip(p, holm(list(p.values())), strict=True))
    judged = {}
    for key, pair in pairs.items():
        one, verdict = found[key], _verdict(*pair, metric, corrected.get(key))
        judged[key] = Comparison(one.low, one.high, one.covers, verdict) if one else Comparison(verdict=verdict)
    return judged


def _interval(change: Contrast, base: Contrast, metric: str, draws: Draws) -> Interval | None:
    """None with too few seeds to hold their chance: the test images alone would make a bracket that looks like a claim
    (docs/results/coverage.md, n = 1). None too where a run has no evidence of the metric."""
    if _seeds(change, base) < ENOUGH or any(
        metric not in draws.get(run.name, {}) for run in (*change.runs, *base.runs)
    ):
        return None
    design = pairing_of(change.runs, base.runs)
    own, other = ([[draws[run.name][metric] for run in row] for row in side] for side in (design.own, design.base))
    if not design.grid:
        own, other = ([[average(row)] for row in side] for side in (own, other))
    if design.crossed:
        return crossed_interval(own, other, change.delta, design.covers)
    return nested_interval([row[0] for row in own], [row[0] for row in other], change.delta, design.covers)


def _seeds(change: Contrast, base: Contrast) -> int:
    """Of the side that has fewer."""
    design = pairing_of(change.runs, base.runs)
    return min(len(design.own), len(design.base))


def _single_pretraining(change: Contrast, base: Contrast) -> bool:
    """Does the change hang on one pretraining, so that nothing is said of what was pretrained with?"""
    return change.single_pretraining or base.single_pretraining or (base.imported and not change.imported)


def _verdict(change: Contrast, base: Contrast, metric: Metric, p: float | None) -> str:
    """What may be said; empty where there are seeds enough and no evidence."""
    seeds = _seeds(change, base)
    if seeds < ENOUGH:
        return "single seed" if seeds == 1 else "few seeds"
    if _single_pretraining(change, base):
        return "one pretraining"
    if p is None:
        return ""
    if p > 1 - LEVEL:
        return "undecided"
    return "better" if (change.delta < 0) == (metric.better == "lower") else "worse"
