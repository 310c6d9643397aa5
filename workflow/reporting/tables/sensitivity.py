"""How far a table depends on the learning rate: instances of one task whose recipes differ in `lr` only."""

from dataclasses import dataclass
from typing import Any

from workflow.core.files import digest
from workflow.reporting.metrics import heading, number
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Summary


@dataclass(frozen=True)
class Sensitivity:
    """The headline metric of a task at each rate.

    Args:
        task: its type.
        heads: the metric, then the rates from the lowest.
        lines: of each row its name, then mean, change and interval at each rate.
    """

    task: str
    heads: tuple[str, ...]
    lines: list[tuple[str, ...]]


def sensitivities(summary: Summary) -> list[Sensitivity]:
    """One for each task that has several rates; none in most configs."""
    groups: dict[str, list[tuple[float, str]]] = {}
    for name, section in summary.config["tasks"].items():
        if isinstance(section.get("lr"), float | int):  # of a list, each run has its own
            groups.setdefault(_rest(summary.tasks[name].name, section), []).append((section["lr"], name))
    return [_table(summary, sorted(rates)) for rates in groups.values() if len(rates) > 1]


def _rest(task: str, section: dict[str, Any]) -> str:
    """What instances share that differ in the rate only."""
    return digest([task, {key: value for key, value in section.items() if key not in ("lr", "task")}])


def _table(summary: Summary, rates: list[tuple[float, str]]) -> Sensitivity:
    task = summary.tasks[rates[0][1]]
    heads = (heading(task.headline), *(f"lr {rate:g}" for rate, _ in rates))
    cells = {row: [summary.cell(row, (name, task.headline)) for _, name in rates] for row in summary.backbones}
    return Sensitivity(task.name, heads, [(row, *map(_text, found)) for row, found in cells.items()])


def _text(cell: Cell) -> str:
    """`54.5 (+0.5 [−1.0, +2.0])`"""
    if cell.mean is None:
        return "–"
    limits = f" [{', '.join(number(cell.metric, one, sign=True) for one in cell.limits)}]" if cell.limits else ""
    change = "" if cell.change is None else f" ({number(cell.metric, cell.change, sign=True)}{limits})"
    return f"{number(cell.metric, cell.mean)}{change}".replace("-", "−")
