"""Average precision of each class and backbone, and how it differs from its baseline's: a table for each detector."""

from dataclasses import dataclass

from workflow.contracts import Metric
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.statistics.cells import mean_over
from workflow.reporting.summary import Summary

STRONGEST = 0.45  # opacity of the largest change's colour: the number on it must be read


@dataclass(frozen=True)
class ClassCell:
    """Mean AP over the runs in percent (None: no run or no such object), its change, and how strong the colour is, from
    -STRONGEST (the largest loss of a trained backbone) to STRONGEST."""

    ap: float | None
    change: float | None
    tint: float


@dataclass(frozen=True)
class ClassTable:
    """One detector: class to backbone to cell. `runs`: backbone to how many are done. `metric`: the one whose mean over
    the classes the main table has."""

    task: str
    metric: Metric
    runs: dict[str, int]
    rows: dict[str, dict[str, ClassCell]]

    @property
    def px(self) -> float:
        """About how wide it is on the page."""
        letters = [max(map(len, self.rows)), *(max(8, len(backbone)) for backbone in self.runs)]
        return sum(17 + 7.5 * count for count in letters)


def class_tables(summary: Summary) -> list[ClassTable]:
    """One for each task whose records have AP by class."""
    found = []
    for name, task in summary.tasks.items():
        done = [o for o in summary.outcomes if o.task == name and isinstance(o, FinishedRun)]
        runs = [run for run in done if run.record.get("per_class")]
        if runs:
            counts = {row: sum(run.backbone == row for run in runs) for row in summary.backbones}
            counts = {row: count for row, count in counts.items() if count}
            bases = {row: base if (base := summary.network(row).baseline) != row else "" for row in counts}
            found.append(ClassTable(name, task.headline, counts, rows(runs, bases, summary.controls)))
    return found


def rows(runs: list[FinishedRun], bases: dict[str, str], controls: list[str]) -> dict[str, dict[str, ClassCell]]:
    """Class to backbone to cell, classes in the order of the data. `bases`: each backbone with the one that it is
    compared with, "" if with none. `controls` do not set the scale of the colours, as the changes of all others would
    pale beside theirs; where there are no others, they do."""
    classes = list(dict.fromkeys(name for run in runs for name in run.record["per_class"]))
    means = {name: {backbone: mean(runs, backbone, name) for backbone in bases} for name in classes}
    changes = {
        name: {backbone: change(ap, row.get(bases[backbone])) for backbone, ap in row.items()}
        for name, row in means.items()
    }
    known = [(name, abs(c)) for row in changes.values() for name, c in row.items() if c is not None]
    trained = [size for name, size in known if name not in controls]
    largest = max(trained or [size for _, size in known], default=0) or 1
    return {
        name: {
            backbone: ClassCell(ap, found := changes[name][backbone], STRONGEST * clipped((found or 0) / largest))
            for backbone, ap in row.items()
        }
        for name, row in means.items()
    }


def clipped(share: float) -> float:
    """Within -1 and 1."""
    return max(-1.0, min(1.0, share))


def mean(runs: list[FinishedRun], backbone: str, name: str) -> float | None:
    """Of a class's AP over a backbone's runs, as the main table takes it; None if none has it."""
    known = [run for run in runs if run.backbone == backbone and name in defined(run)]
    return mean_over(known, lambda run: defined(run)[name]) if known else None


def defined(run: FinishedRun) -> dict[str, float]:
    """The AP of each class that has an object in the test set."""
    return {name: ap for name, ap in run.record["per_class"].items() if ap is not None}


def change(ap: float | None, base: float | None) -> float | None:
    """Against the baseline."""
    return ap - base if ap is not None and base is not None else None
