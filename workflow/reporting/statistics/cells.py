"""Records to cells: mean, standard deviation and n over seeds, the change against the baseline of its network with its
interval and verdict, or a reason."""

import statistics
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from workflow.contracts import Metric, Task
from workflow.reporting.networks import NetworkRows
from workflow.reporting.outcome import FinishedRun, Outcome, Record
from workflow.reporting.statistics.comparisons import Contrast, changes
from workflow.reporting.statistics.pairing import pairing_of, units
from workflow.reporting.statistics.paper import PaperNumber, PaperNumbers

TOO_FEW = ("single seed", "few seeds")  # verdicts of a change that has no interval
ONE_PRETRAINING = "one pretraining"


@dataclass(frozen=True)
class Cell:
    """One number of the table, in the unit of its metric. None stands for what is not there; `missing` then says why.

    `baseline` is the row that it is compared with: the baseline of its network, which has itself; "" if that has none.
    `runs` are the records behind it, `values` what each of them says, `std` the sample standard deviation of these.
    `mean` gives each pretraining the same weight, however many of its transfers are finished; `delta` is of the seeds
    that both rows have, named in `seeds` where one has others too. `low` and `high` bound the 95 % interval of `delta`,
    `covers` says whose chance it holds (with fewer than three seeds there is none). `verdict` is "better", "worse",
    "undecided", "one pretraining", "few seeds", "single seed" or "".
    """

    backbone: str
    baseline: str
    task: str
    metric: Metric
    runs: tuple[FinishedRun, ...]
    values: tuple[float, ...]
    mean: float | None
    std: float | None
    delta: float | None
    seeds: tuple[str, ...]
    low: float | None
    high: float | None
    covers: str
    verdict: str
    missing: str
    paper: PaperNumber | None
    paper_delta: float | None

    @property
    def n(self) -> int:
        """How many runs are behind the mean."""
        return len(self.values)

    @property
    def change(self) -> float | None:
        """`delta`, where it is one against another row."""
        return None if self.backbone == self.baseline else self.delta

    @property
    def limits(self) -> tuple[float, float] | None:
        """The interval of the change; None if there is none."""
        return (self.low, self.high) if self.low is not None and self.high is not None else None

    @property
    def verdict_text(self) -> str:
        """The verdict with what its interval holds, or that there is none, so that no bracket looks like a claim."""
        text = self.verdict
        if self.verdict in TOO_FEW:
            text = f"{self.verdict}, no interval"
        elif self.verdict == ONE_PRETRAINING and self.low is not None:
            text = f"{self.verdict}, interval of its transfers only"
        return ", ".join(filter(None, [text, f"change of {', '.join(self.seeds)} only" if self.seeds else ""]))


Cells = dict[tuple[str, str, str], Cell]


def cells(
    networks: Iterable[NetworkRows],
    tasks: Mapping[str, Task],
    outcomes: list[Outcome],
    paper: PaperNumbers,
    imported: Collection[str] = (),
) -> Cells:
    """(backbone, task, metric) to its cell, in the order of the table. `imported`: backbones not pretrained here."""
    table: Cells = {}
    for network, backbone in ((one, row) for one in networks for row in one.rows):
        for name, task in tasks.items():
            own = [o for o in outcomes if (o.backbone, o.task) == (backbone, name)]
            base = [o for o in outcomes if (o.backbone, o.task) == (network.baseline, name)]
            # the paper has one recipe a task: its numbers stand beside the instance that is named like the task
            known = paper if name == task.name else {}
            for metric in task.metrics:
                table[backbone, name, metric.name] = _cell(backbone, network, name, metric, own, base, known)
    return _judged(table, tasks, imported)


def _judged(table: Cells, tasks: Mapping[str, Task], imported: Collection[str]) -> Cells:
    """The same cells with intervals and verdicts."""
    found = changes(
        {
            key: Contrast(cell.delta, cell.runs, cell.backbone in imported, cell.baseline)
            for key, cell in table.items()
            if cell.delta is not None
        },
        tasks,
    )
    return {key: replace(cell, **found[key]._asdict()) if key in found else cell for key, cell in table.items()}


def mean_over(runs: Sequence[FinishedRun], value: Callable[[FinishedRun], float]) -> float:
    """The mean of the means of pretrainings, of one run or more."""
    return statistics.fmean(statistics.fmean(map(value, group)) for group in units(runs).values())


def _measured(outcomes: list[Outcome], metric: str) -> tuple[FinishedRun, ...]:
    return tuple(o for o in outcomes if isinstance(o, FinishedRun) and metric in o.record["metrics"])


def _cell(
    backbone: str,
    network: NetworkRows,
    task: str,
    metric: Metric,
    own: list[Outcome],
    base: list[Outcome],
    paper: PaperNumbers,
) -> Cell:
    runs = _measured(own, metric.name)
    values = tuple(run.record["metrics"][metric.name] for run in runs)
    against = _measured(base, metric.name)
    design = pairing_of(runs, against) if runs and against else None
    known, known_base = (paper.get((network.name, row, task, metric.name)) for row in (backbone, network.baseline))
    return Cell(
        backbone,
        network.baseline,
        task,
        metric,
        runs=runs,
        values=values,
        mean=mean_over(runs, lambda run: run.record["metrics"][metric.name]) if runs else None,
        std=statistics.stdev(values) if len(values) > 1 else None,
        delta=design.change(lambda run: run.record["metrics"][metric.name]) if design else None,
        seeds=design.seeds if design else (),
        low=None,
        high=None,
        covers="",
        verdict="",
        missing=_missing(own, metric.name),
        paper=known,
        paper_delta=known.value - known_base.value if known and known_base and backbone != network.baseline else None,
    )


def _missing(outcomes: list[Outcome], metric: str) -> str:
    """Why values of a metric are missing, e.g. `pending` or `failed: out of memory (p1s0); pending (p2s0)`; empty if
    none is."""
    if not outcomes:
        return "not planned"
    reasons: dict[str, list[str]] = {}
    for outcome in outcomes:
        if not isinstance(outcome, FinishedRun):
            reasons.setdefault(outcome.why, []).append(outcome.seed_name)
        elif metric not in outcome.record["metrics"]:
            reasons.setdefault(_unscored(outcome.record), []).append(outcome.seed_name)
    if len(reasons) == 1 and not _measured(outcomes, metric):
        return next(iter(reasons))
    return "; ".join(f"{text} ({', '.join(names)})" for text, names in reasons.items())


def _unscored(record: Record) -> str:
    """Why a record lacks a metric: what its protocol says of a backbone that was not scored."""
    split = str(record["protocol"].get("split", ""))
    return split if split.startswith("not scored") else "not measured"
