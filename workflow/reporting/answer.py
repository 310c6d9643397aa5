"""Does a better classifier make a better backbone? What the verdicts of a table say to that, in two sentences, and the
rank correlation of classification with each transfer metric."""

from dataclasses import dataclass

import numpy as np

from workflow.core.rng import rng
from workflow.registry import PRETRAIN
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Column, Summary

DRAWS, FEWEST = 1000, 3  # draws of an interval of τ; rows from which there is a τ
NORMAL = 1.96  # half widths of a 95 % interval in standard deviations


@dataclass(frozen=True)
class Correlation:
    """Kendall's τ (b, which knows ties) of classification and a transfer metric over rows; 1: the better classifier is
    always the better backbone.

    Args:
        tau: None where it is not defined, as of equal rows, and of fewer than three rows.
        rows: how many.
        low: of its 95 % interval; None without one.
        high: of the same.
    """

    tau: float | None
    rows: int
    low: float | None = None
    high: float | None = None


def headlines(summary: Summary) -> list[Column]:
    """The headline metric of each transfer task."""
    return [(name, task.headline) for name, task in summary.tasks.items() if name != PRETRAIN]


def classification(summary: Summary) -> Column:
    """The headline metric of pretraining."""
    return PRETRAIN, summary.tasks[PRETRAIN].headline


def trained_rows(summary: Summary) -> list[str]:
    """The rows but those that have learnt nothing."""
    return [row for row in summary.backbones if row not in summary.controls]


def compared(summary: Summary) -> list[str]:
    """Of these, the rows that have another one as their baseline."""
    first = classification(summary)
    return [row for row in trained_rows(summary) if summary.cell(row, first).baseline not in ("", row)]


def correlation(summary: Summary, column: Column) -> Correlation:
    """τ over the changes of all trained rows against their baselines, which have none; signs as good and bad.

    Its interval follows from the intervals of the changes, which hold seeds and images: each change is drawn from a
    normal distribution of that width.
    """
    pairs = [(summary.cell(row, classification(summary)), summary.cell(row, column)) for row in trained_rows(summary)]
    pairs = [pair for pair in pairs if all(cell.delta is not None for cell in pair)]
    values = np.array([[oriented(cell, cell.delta or 0.0) for cell in pair] for pair in pairs]).reshape(-1, 2)
    if len(pairs) < FEWEST or any(len(set(side)) == 1 for side in values.T):
        return Correlation(None, len(pairs))
    tau = float(kendall(values))
    if not all(cell.limits or cell.change is None for pair in pairs for cell in pair):
        return Correlation(tau, len(pairs))
    errors = np.array([[half_width(cell) / NORMAL for cell in pair] for pair in pairs])
    noise = rng("tau", column[0], len(pairs)).standard_normal((DRAWS, *errors.shape))
    low, high = np.nanpercentile(kendall(values + errors * noise), [2.5, 97.5])
    return Correlation(tau, len(pairs), float(low), float(high))


def kendall(pairs: "np.typing.NDArray[np.float64]") -> "np.typing.NDArray[np.float64]":
    """τ of (…, rows, 2): the mean agreement of the order of two rows on both sides, over the pairs of rows; NaN where
    all rows of a side are equal."""
    order = np.sign(pairs[..., :, None, :] - pairs[..., None, :, :])
    both, (first, second) = order.prod(-1).sum((-2, -1)), np.moveaxis((order**2).sum((-3, -2)), -1, 0)
    with np.errstate(invalid="ignore"):
        return np.asarray(both / np.sqrt(first * second))


def half_width(cell: Cell) -> float:
    """Of the interval of a change; 0 of a baseline."""
    return (cell.limits[1] - cell.limits[0]) / 2 if cell.limits and cell.change is not None else 0.0


def oriented(cell: Cell, value: float) -> float:
    """A change that is above 0 where it is an improvement."""
    return -value if cell.metric.better == "lower" else value


def words(found: Correlation) -> str:
    """τ with its interval, if it has one."""
    rows = counted(found.rows, "row")
    if found.tau is None:
        return f"no τ of {rows}"
    limits = "" if found.low is None or found.high is None else f" [{found.low:+.2f}, {found.high:+.2f}]"
    return f"τ = {found.tau:+.2f}{limits}, {rows}".replace("-", "−")


def sentences(summary: Summary) -> list[str]:
    """What was found, never more than the verdicts say."""
    rows = compared(summary)
    if not rows:
        return ["No trained row is compared with another one."]
    said = {row: summary.cell(row, classification(summary)).verdict for row in rows}
    better, worse = ([row for row in rows if said[row] == word] for word in ("better", "worse"))
    open_rows = [row for row in rows if row not in (*better, *worse)]
    parts = (("is better with", better), ("is worse with", worse), ("has no verdict for", open_rows))
    first = "Classification " + "; it ".join(f"{verb} {', '.join(names)}" for verb, names in parts if names) + "."
    if not better and not worse:
        return [first, "So the table does not tell yet whether a better classifier makes a better backbone."]
    found = {row: in_other_tasks(summary, row) for row in (*better, *worse)}
    silent = [row for row, text in found.items() if not text]
    rest = [f"Of {', '.join(silent)}, no other task has a verdict."] if silent else []
    return [first, " ".join([*filter(None, found.values()), *rest])]


def in_other_tasks(summary: Summary, row: str) -> str:
    """How a row that classifies better or worse does in the other tasks; empty if none has a verdict."""
    verdicts = {column[0]: summary.cell(row, column).verdict for column in headlines(summary)}
    parts = []
    for word in ("better", "worse"):
        tasks = [task for task, verdict in verdicts.items() if verdict == word]
        parts += [f"{word} in {', '.join(tasks)}"] if tasks else []
    if not parts:
        return ""
    open_tasks = sum(verdict not in ("better", "worse") for verdict in verdicts.values())
    tail = f"; {counted(open_tasks, 'task')} without a verdict" if open_tasks else ""
    return f"{row} is {' and '.join(parts)}{tail}."


def counted(count: int, noun: str) -> str:
    """`3 rows`"""
    return f"{count} {noun}" + ("" if count == 1 else "s")
