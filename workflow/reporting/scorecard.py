"""Every printed number that the rooms' `report/paper.csv` have, with ours of a config next to it: `python -m
workflow.reporting.scorecard --config FILE`. What the config does not give says which shipped config does."""

import argparse
import csv
import functools
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import registry
from workflow.config.loading import load
from workflow.config.yaml_loader import load_yaml
from workflow.contracts import Metric
from workflow.core.errors import cli_entry_point
from workflow.core.files import atomic
from workflow.planning.plan import plan
from workflow.reporting.metrics import number
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.statistics.levels import level
from workflow.reporting.statistics.paper import FILE, official, rows
from workflow.reporting.summary import Summary, summarize
from workflow.reporting.tables.paper_deviations import PAPERS
from workflow.reporting.tables.text_tables import REASON_WIDTH, clipped

HEADS = ("backbone", "task", "metric", "paper", "ours", "inside", "paper's change", "our change", "inside", "source")
Limits = tuple[float, float]


@dataclass(frozen=True)
class Score:
    """A printed number and ours.

    Args:
        printed: its line of a `paper.csv`.
        change: its change against the printed number of our baseline; None without one.
        cell: ours; None where the config has no such cell.
        limits: of the 95 % interval of our value; None without one.
        where: what gives ours, or why it cannot be compared; empty where it can.
    """

    printed: dict[str, str]
    change: float | None
    cell: Cell | None
    limits: Limits | None
    where: str

    @property
    def value(self) -> float:
        """The printed number."""
        return float(self.printed["value"])

    @property
    def inside(self) -> str:
        """Whether the printed number is in the interval of ours."""
        return self._inside(self.value, self.limits)

    @property
    def change_inside(self) -> str:
        """The same of the change against the baseline."""
        if not self.cell or self.cell.change is None or self.change is None:
            return ""
        return self._inside(self.change, self.cell.limits)

    def _inside(self, value: float, limits: Limits | None) -> str:
        if self.where or not limits:
            return ""
        return "yes" if limits[0] <= value <= limits[1] else "no"


def scores(summary: Summary) -> list[Score]:
    """All printed numbers, those that the config gives first."""
    config = summary.config
    lines = [line for room in rooms() for line in rows(room / FILE)]
    values = {key(line): float(line["value"]) for line in lines}
    given, others = [], []
    for line in lines:
        if not gives(config, line):
            others.append(Score(line, None, None, None, giving(line)))
            continue
        cell = summary.cells[line["backbone"], line["task"], line["metric"]]
        base = None if cell.change is None else values.get(key(line | {"backbone": cell.baseline}))
        limits = level(cell.runs, cell.metric.name, summary.tasks[cell.task])
        change = None if base is None else values[key(line)] - base
        given.append(Score(line, change, cell, limits, _lack(summary, config, cell)))
    return given + others


def rooms() -> list[Path]:
    """The folders of all tasks."""
    return list(dict.fromkeys(task.room for task in registry.tasks().values()))


def key(line: dict[str, str]) -> tuple[str | None, ...]:
    """What a printed number is of."""
    return tuple(line.get(name) for name in ("network", "backbone", "task", "metric", "pretraining"))


def gives(config: dict[str, Any], line: dict[str, str]) -> bool:
    """Whether a config has the cell of a printed number; its data may be others."""
    name, row = line["task"], line["backbone"]
    if row not in config["backbones"] or registry.network_name(config, row) != line["network"]:
        return False
    if name not in (registry.PRETRAIN, *config["tasks"]) or registry.task_of(config, name).name != name:
        return False
    layout = registry.layout_of(config, registry.data_name(config, registry.PRETRAIN)).name
    known = registry.task_of(config, name).metric(line["metric"]) is not None
    return known and line.get("pretraining") in (None, "", layout)


def _lack(summary: Summary, config: dict[str, Any], cell: Cell) -> str:
    """Why ours cannot be compared; empty where it can."""
    if cell.mean is None:
        return cell.missing
    classifier = summary.cell(cell.backbone, (registry.PRETRAIN, summary.tasks[registry.PRETRAIN].headline))
    whole = all(official(config, one.task, one.runs[0]) for one in (classifier, cell) if one.mean is not None)
    return "" if whole else "other data"


@functools.cache
def shipped() -> dict[str, dict[str, Any]]:
    """The whole configs of `config/` whose data are real, those of the paper's settings first."""
    files = sorted((registry.PROJECT / "config").glob("*.yaml"), key=lambda file: (file not in PAPERS, file.name))
    found = {file.name: load_yaml(file) for file in files}
    whole = {name: one for name, one in found.items() if {"data", "backbones", "tasks"} <= one.keys()}
    return {name: one for name, one in whole.items() if not any("synthetic" in data for data in one["data"].values())}


def giving(line: dict[str, str]) -> str:
    """The shipped config that has a printed number's cell."""
    names = [name for name, config in shipped().items() if gives(config, line)]
    return f"config/{names[0]}" if names else "no shipped config"


def words(score: Score) -> tuple[str, ...]:
    """The columns of a line."""
    line, cell = score.printed, score.cell
    metric = cell.metric if cell else registry.tasks()[line["task"]].metric(line["metric"])
    names = (line["backbone"], line["task"], line["metric"])
    if cell is None or cell.mean is None:
        where = clipped(score.where, REASON_WIDTH)
        return (*names, _number(metric, score.value), where, *[""] * 4, line["source"])
    ours = _with_limits(cell.metric, cell.mean, score.limits)
    change = "" if cell.change is None else _with_limits(cell.metric, cell.change, cell.limits, sign=True)
    theirs = "" if score.change is None else number(cell.metric, score.change, sign=True)
    inside = score.inside or clipped(score.where, REASON_WIDTH) or "no interval"
    return (*names, _number(metric, score.value), ours, inside, theirs, change, score.change_inside, line["source"])


def _number(metric: Metric | None, value: float) -> str:
    """With two digits at least, as most are printed."""
    return number(metric, value) if metric and metric.digits > 1 else f"{value:g}"


def _with_limits(metric: Metric, value: float, limits: Limits | None, sign: bool = False) -> str:
    text = number(metric, value, sign)
    return text if not limits else f"{text} [{', '.join(number(metric, one, sign) for one in limits)}]"


def count(found: Sequence[Score]) -> str:
    """How many there are of each kind, in a sentence."""
    given = [one for one in found if one.cell and one.cell.mean is not None]
    judged = [one for one in given if one.inside]
    inside = sum(one.inside == "yes" for one in judged)
    changes = [one.change_inside for one in given if one.change_inside]
    return (
        f"{len(found)} printed numbers, {len(given)} with ours; of {len(judged)} that can be compared, {inside} are in "
        f"the interval of ours, and {changes.count('yes')} of {len(changes)} changes."
    )


def elsewhere(found: Sequence[Score]) -> list[str]:
    """Which config gives the others, a line each."""
    groups: dict[str, list[Score]] = {}
    for one in found:
        if one.cell is None:
            groups.setdefault(one.where, []).append(one)
    tasks = {name: ", ".join(dict.fromkeys(one.printed["task"] for one in group)) for name, group in groups.items()}
    return [f"{name} gives {len(group)} others: {tasks[name]}" for name, group in groups.items()]


def table(found: Sequence[Score]) -> Iterator[str]:
    """The lines of a Markdown table."""
    yield f"| {' | '.join(HEADS)} |"
    yield "|:--|:--|:--|--:|:--|:--|--:|:--|:--|:--|"
    yield from (f"| {' | '.join(words(one))} |" for one in found)


def terminal(found: Sequence[Score]) -> str:
    """What the config gives, in columns, and below it what others give."""
    lines = [HEADS[:-1], *(words(one)[:-1] for one in found if one.cell)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([*text, "", count(found), *elsewhere(found)])


COLUMNS = (
    *("network", "pretraining", "backbone", "task", "metric", "paper", "ours", "ours_low", "ours_high", "inside"),
    *("paper_change", "our_change", "our_change_low", "our_change_high", "change_inside", "where", "source", "note"),
)


def long_csv(found: Sequence[Score]) -> str:
    """Every number, with its source and note."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(COLUMNS)
    for one in found:
        line, cell = one.printed, one.cell
        ours = [*_plain(cell.mean if cell else None, one.limits), one.inside]
        changes = [f"{one.change:.6g}" if one.change is not None else ""]
        changes += [*_plain(cell.change if cell else None, cell.limits if cell else None), one.change_inside]
        names = [line.get(name, "") for name in ("network", "pretraining", "backbone", "task", "metric", "value")]
        writer.writerow([*names, *ours, *changes, one.where, line["source"], line["note"]])
    return out.getvalue()


def _plain(value: float | None, limits: Limits | None) -> list[str]:
    return ["" if one is None else f"{one:.6g}" for one in (value, *(limits or (None, None)))]


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config file")
    todo = plan(load(parser.parse_args().config))
    found = scores(summarize(todo))
    head = [f"# Scorecard: {todo.experiment}", "", count(found), "", *(f"- {line}" for line in elsewhere(found)), ""]
    text = "\n".join([*head, *table(found), ""])
    for name, content in (("scorecard.csv", long_csv(found)), ("scorecard.md", text)):
        with atomic(Path(todo.folder) / name) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="")
    print(terminal(found))


if __name__ == "__main__":
    main()
