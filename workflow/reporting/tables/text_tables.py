"""The table as text: transfer.csv (long), transfer.md (wide), and the terminal's."""

import csv
import io
import textwrap
from pathlib import Path

from workflow.core.escaping import printable
from workflow.registry import PRETRAIN
from workflow.reporting.metrics import PERCENT, heading, number
from workflow.reporting.networks import against
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.statistics.cells import ONE_PRETRAINING, TOO_FEW, Cell
from workflow.reporting.statistics.intervals import ENOUGH
from workflow.reporting.summary import Column, Summary, best_epoch
from workflow.reporting.tables.run_resources import waiting

CSV_COLUMNS = ["backbone", "task", "metric", "mean", "std", "n", "delta", "delta_low", "delta_high", "verdict", "paper"]
TERMINAL_WIDTH = 116
REASON_WIDTH = 60
WIDE_REASON_WIDTH = 120  # there is room
MARKS = {"better": "+", "worse": "-", "undecided": "?", ONE_PRETRAINING: "t"}  # on the terminal, where words are wide
REFERENCE = "reference, no network"
GROUPS = ("last epoch", "best epoch", "paper")


def long_csv(summary: Summary) -> str:
    """transfer.csv: one line a backbone, task and metric. A missing number has its reason as verdict; last columns have
    the units if one is not percent, and of several networks that of the row and its millions of parameters."""
    units = any(metric.unit != PERCENT for metric in summary.metrics)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    several = bool(summary.several)
    writer.writerow(CSV_COLUMNS + ["unit"] * units + ["network", "parameters (M)"] * several)
    for cell in summary.cells.values():
        numbers = (cell.mean, cell.std, cell.delta, cell.low, cell.high)
        digits = max(4, cell.metric.digits)
        mean, std, *change = ("" if value is None else f"{value:z.{digits}f}" for value in numbers)
        verdict = "; ".join(filter(None, [cell.verdict, cell.missing]))
        paper = cell.paper.value if cell.paper else ""
        about = [cell.backbone, cell.task, cell.metric.name]
        network = summary.network(cell.backbone)
        more = [cell.metric.unit] * units + [network.name, network.size] * several
        writer.writerow([*about, mean, std, cell.n, *change, verdict, paper, *more])
    known = {(task, metric.name): metric for task, declared in summary.tasks.items() for metric in declared.metrics}
    for name, scores in summary.references.items():
        for (task, one), value in scores.items():
            metric = known[task, one]
            row = [name, task, one, f"{value:z.{max(4, metric.digits)}f}", "", "", "", "", "", REFERENCE, ""]
            writer.writerow(row + [metric.unit] * units + ["", ""] * several)
    return out.getvalue()


def measured(cell: Cell) -> str:
    """Mean, spread and change, e.g. `76.7 ± 0.2 (+0.9)`; a dash if there is nothing."""
    if cell.mean is None:
        return "–"
    spread = f" ± {number(cell.metric, cell.std)}" if cell.std is not None else ""
    change = f" ({number(cell.metric, cell.change, sign=True)})" if cell.change is not None else ""
    return f"{number(cell.metric, cell.mean)}{spread}{change}"


def limits(cell: Cell) -> str:
    """The interval of the change, e.g. `[+0.3, +1.5]`; empty if there is none."""
    if cell.limits is None:
        return ""
    low, high = (number(cell.metric, limit, sign=True) for limit in cell.limits)
    return f"[{low}, {high}]"


def clipped(text: str, width: int = REASON_WIDTH) -> str:
    """Long reasons stand in full below the table."""
    return text if len(text) <= width else text[: width - 1].rstrip() + "…"


def markdown(summary: Summary) -> str:
    """transfer.md: one row a backbone, one column a task and metric."""
    columns = summary.columns
    lines = [f"# Transfer table: {_md(summary.experiment)}", ""]
    lines += [f"> **{_md(notice)}**\n" for notice in summary.notices]
    more = ["network", "parameters (M)"] if summary.several else []
    heads = ["backbone", *more, *(f"{task}<br>{heading(metric)}" for task, metric in columns)]
    lines += [f"| {' | '.join(heads)} |", "|:--|" + ":--|--:|" * bool(more) + "--:|" * len(columns)]
    for backbone in summary.backbones:
        row = [_md_cell(summary.cell(backbone, column)) for column in columns]
        beyond = f"<br>{_md(summary.origins[backbone])}" if summary.origins[backbone] else ""
        network = summary.network(backbone)
        about = [f"{_md(backbone)}{beyond}", *([network.name, network.size] if more else [])]
        lines.append(f"| {' | '.join([*about, *row])} |")
    for name in summary.references:
        row = [_score(summary, name, column, "") for column in columns]
        lines.append(f"| {' | '.join([f'*{_md(name)}* ({REFERENCE})', *([''] * len(more)), *row])} |")
    lines += ["", f"## {classification(summary)}", "", *_md_classification(summary)]
    lines += ["", *(f"{_md(remark)}  " for remark in summary.remarks), ""]
    for task, protocol in summary.protocols.items():
        if protocol:
            lines.append(f"- **{task}**: " + ". ".join(f"{_md(key)}: {_md(text)}" for key, text in protocol))
    lines += [f"\n> **{_md(warning)}**" for warning in waiting(summary.outcomes)]
    lines += ["", "Each run and its record:", ""]
    for outcome in summary.outcomes:
        lines.append(
            f"- {_md(outcome.name)}: {_md(str(outcome.path) if isinstance(outcome, FinishedRun) else outcome.why)}"
        )
    return "\n".join(lines) + "\n"


def _score(summary: Summary, name: str, column: Column, absent: str) -> str:
    """The number of a reference in a column."""
    value = summary.reference(name, column)
    return absent if value is None else number(column[1], value)


def _md_cell(cell: Cell) -> str:
    parts = [_md_last(cell)]
    if best := best_epoch(cell):
        parts.append(f"best {number(cell.metric, best.value)}, {best.words}")
    if cell.paper:
        parts.append(f"*paper {number(cell.metric, cell.paper.value)}*")
    return "<br>".join(filter(None, parts))


def classification(summary: Summary) -> str:
    """Heading of the second table."""
    return f"{summary.dataset} {summary.tasks[PRETRAIN].title}"


def classification_groups(summary: Summary) -> list[str]:
    """Its groups of columns: the paper's only where it has a number."""
    known = any(cell.paper for row in summary.classified for cell in row.cells)
    return [name for name in GROUPS if known or name != "paper"]


def _md_classification(summary: Summary) -> list[str]:
    """The second table: errors of the last epoch, of the best, and the paper's."""
    groups = classification_groups(summary)
    errors = [f"{name}<br>{heading(cell.metric)}" for name in groups for cell in summary.classified[0].cells]
    lines = [f"| backbone | what it is | epochs | {' | '.join(errors)} |", "|:--|:--|--:|" + "--:|" * len(errors)]
    for row in summary.classified:
        last = [_md_last(cell, WIDE_REASON_WIDTH) for cell in row.cells]
        best = [f"{number(c.metric, b.value)} ({b.words})" if (b := best_epoch(c)) else "" for c in row.cells]
        paper = [number(c.metric, c.paper.value) if c.paper else "" for c in row.cells if len(groups) == len(GROUPS)]
        lines.append("| " + " | ".join([_md(row.backbone), _md(row.about), row.epochs, *last, *best, *paper]) + " |")
    return lines


def _md_last(cell: Cell, width: int = REASON_WIDTH) -> str:
    """Mean and change, the change's interval and verdict, why values are missing, and several values one by one."""
    change = " ".join(filter(None, [limits(cell), cell.verdict_text]))
    values = f"n = {cell.n}: {', '.join(number(cell.metric, v) for v in cell.values)}" if cell.n > 1 else ""
    parts = [measured(cell) if cell.mean is not None else "", change, _md(clipped(cell.missing, width)), values]
    return "<br>".join(filter(None, parts))


def _md(text: str) -> str:
    """Data inside Markdown: no HTML, no table borders, no emphasis of its own, all in one line."""
    text = printable(" ".join(text.splitlines())).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return "".join(f"\\{c}" if c in "|*`[]\\" else c for c in text)


def terminal(summary: Summary, page: Path) -> str:
    """The table for a terminal, in as many blocks as its columns need, and where the page lies."""
    names = _names(summary)
    network = "" if summary.several else f" ({summary.networks[0].words})"
    lines = [f"Transfer table: {summary.experiment}{network}"]
    lines += ["\n" + textwrap.fill(notice, TERMINAL_WIDTH) for notice in summary.notices]
    for block in _blocks(summary, max(map(len, names))):
        lines += ["", *_block(block, names)]
    about = [f"{name}: {text}" for name, text in summary.origins.items() if text]
    about += [clipped(line, 2 * TERMINAL_WIDTH) for line in summary.unfinished]
    about += [textwrap.fill(warning, TERMINAL_WIDTH) for warning in waiting(summary.outcomes)]
    about = [printable(text, keep="\n") for text in about]
    return "\n".join([*lines, *([""] if about else []), *about, "", *_legend(summary), printable(f"Page: {page}")])


def _names(summary: Summary) -> list[str]:
    """The first column of the terminal's table from its heading down: backbones, of several networks with network and
    millions of parameters."""
    names = ["backbone", *summary.backbones, *summary.references]
    if not summary.several:
        return names
    of_rows = [summary.network(row) for row in summary.backbones]
    networks = ["network", *(network.name for network in of_rows), *("none" for _ in summary.references)]
    sizes = ["params", *(f"{network.size} M" if network.size else "" for network in of_rows)]
    sizes += ["" for _ in summary.references]
    first, second = max(map(len, names)), max(map(len, networks))
    columns = zip(names, networks, sizes, strict=True)
    return [f"{name:{first}}  {network:{second}}  {size:>8}" for name, network, size in columns]


def _legend(summary: Summary) -> list[str]:
    """How to read the terminal's table."""
    cells = summary.cells.values()
    counts = sorted({cell.n for cell in cells if cell.n > 1})
    spread = f" ±: standard deviation over n runs, n = {', '.join(map(str, counts))}." if counts else ""
    changes = f"In brackets: change against {words}." if (words := against(summary.networks)) else ""
    lines = [textwrap.fill(f"{changes}{spread} best: value@epoch (@iteration).".strip(), TERMINAL_WIDTH)]
    if any(cell.low is not None for cell in cells):
        lines += [
            "95 %: interval of the change, then + better, - worse, ? undecided, t no verdict: of one pretraining, the",
            "interval holds its transfers only. Runs that share a pretraining count as one seed.",
        ]
    if any(cell.verdict in TOO_FEW for cell in cells):
        lines.append(
            f"With fewer than {ENOUGH} seeds a change has no interval and no verdict. A pretraining is one seed."
        )
    return lines


Texts = tuple[str, list[list[str]]]  # a task, and sub-columns of texts from their heading down


def _column(summary: Summary, column: Column) -> Texts:
    """A metric: ours, and interval, best and paper where any row has one."""
    task, metric = column
    cells = [summary.cell(backbone, column) for backbone in summary.backbones]
    ours = [measured(c) if c.mean is not None else c.missing.split(":")[0] for c in cells]
    sure = [f"{limits(c)} {MARKS.get(c.verdict, ' ')}" if c.low is not None else "" for c in cells]
    if any(sure):
        sure = [c.verdict if c.verdict in TOO_FEW else text for c, text in zip(cells, sure, strict=True)]
    best = [f"{number(metric, b.value)}@{','.join(map(str, b.when))}" if (b := best_epoch(c)) else "" for c in cells]
    paper = [number(metric, c.paper.value) if c.paper else "" for c in cells]
    parts = [[heading(metric), *ours, *(_score(summary, name, column, "") for name in summary.references)]]
    more = (("95 %", sure), ("best", best), ("paper", paper))
    parts += [[name, *texts, *("" for _ in summary.references)] for name, texts in more if any(texts)]
    return task, parts


def _width(columns: list[Texts]) -> int:
    return sum(max(map(len, part)) + 2 for _, parts in columns for part in parts)


def _blocks(summary: Summary, first: int) -> list[list[Texts]]:
    """Columns packed into blocks no wider than the terminal; a task is only split where it must be."""
    blocks: list[list[Texts]] = [[]]
    for task in summary.tasks:
        columns = [_column(summary, column) for column in summary.terminal_columns if column[0] == task]
        whole = first + _width(columns) <= TERMINAL_WIDTH
        for group in [columns] if whole else [[column] for column in columns]:
            if blocks[-1] and first + _width(blocks[-1] + group) > TERMINAL_WIDTH:
                blocks.append([])
            blocks[-1] += group
    return blocks


def _block(block: list[Texts], names: list[str]) -> list[str]:
    """A block's lines: tasks, metrics, a rule, one line a backbone."""
    first = max(map(len, names))
    top, lines, before = "", [name.ljust(first) for name in names], None
    for task, parts in block:
        if task != before:
            top = top.ljust(len(lines[0]) + 2) + task
        before = task
        for part in parts:
            width = max(map(len, part))
            lines = [f"{line}  {text.rjust(width)}" for line, text in zip(lines, part, strict=True)]
    return [top, lines[0].rstrip(), "─" * len(lines[0]), *(line.rstrip() for line in lines[1:])]
