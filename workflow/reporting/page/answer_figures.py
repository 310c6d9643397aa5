"""The two figures of the answer: the change of each row in each task with its interval, and classification against each
transfer metric."""

import io
from typing import TYPE_CHECKING, Literal

from workflow.reporting.answer import classification, compared, correlation, counted, headlines, trained_rows, words
from workflow.reporting.metrics import heading, number
from workflow.reporting.page.curves import as_svg, ink, look, style
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Column, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ACROSS, ROW = 3, 0.26  # panels in a row; inches of a backbone's line
LETTER, LEGEND = 0.08, 0.22  # inches: of a letter of a name across, of a row of the legend
DECIDED = ("better", "worse")
PAPER_INK = "black"


def svg(summary: Summary, name: str, across: int = ACROSS) -> str:
    """A figure of FIGURES as SVG, in the ink of the page. `across`: how many panels stand in a row, at most."""
    import matplotlib as mpl

    with mpl.rc_context(style(f"{name}{across}")):
        figure, label = FIGURES[name](summary, across)
        return as_svg(figure, label)


def printed(summary: Summary, name: str, kind: Literal["pdf", "svg"] = "pdf") -> bytes:
    """The same figure as a file for a paper or a page on a hub: black ink on white, no date; in a PDF, letters as
    TrueType (journals refuse Type 3)."""
    import matplotlib as mpl

    buffer, date = io.BytesIO(), {"pdf": "CreationDate", "svg": "Date"}[kind]
    with mpl.rc_context({**style(name, PAPER_INK), "pdf.fonttype": 42}):
        figure, label = FIGURES[name](summary, ACROSS)
        figure.savefig(buffer, format=kind, metadata={date: None, "Title": label})
    return buffer.getvalue()


def forest(summary: Summary, across: int) -> "tuple[Figure, str]":
    """A panel for classification and each task, in it a line for each row that has a baseline: its change, with the
    95 % interval where there is one. A marker is filled where there is a verdict. Right is better. And what is shown,
    in words."""
    rows, columns = compared(summary), [classification(summary), *headlines(summary)]
    names = LETTER * max(map(len, rows), default=0) + 0.2
    size = (2.7, max(1, len(rows)) * ROW)
    figure, places = panels(len(columns), across, size, left=names, top=0.3, gaps=(0.4, 0.95), sharey=True)
    for column, axes in zip(columns, places, strict=True):
        effects(axes, column, [summary.cell(row, column) for row in rows])
    places[0].set_yticks(range(len(rows)), [row.replace("$", r"\$") for row in rows])
    places[0].set_ylim(len(rows) - 0.4, -0.6)
    return figure, f"Changes of {counted(len(rows), 'row')} in {counted(len(columns), 'task')}"


def panels(
    count: int,
    across: int,
    size: tuple[float, float],
    left: float,
    top: float,
    gaps: tuple[float, float],
    sharey: bool = False,
) -> "tuple[Figure, list[Axes]]":
    """A figure of panels with fixed places (a layout that looks for room takes twice as long).

    Args:
        count: how many.
        across: how many in a row, at most.
        size: of a panel, in inches, as all that follow.
        left: what stands left of the first panel.
        top: what stands above it.
        gaps: between two panels, across and down.
        sharey: whether the panels share their rows.
    """
    from matplotlib.figure import Figure

    across = min(across, count)
    down = -(-count // across)
    width, height = (
        first + number * side + (number - 1) * gap + last
        for first, number, side, gap, last in zip((left, top), (across, down), size, gaps, (0.15, 0.5), strict=True)
    )
    figure = Figure(figsize=(width, height))
    figure.subplots_adjust(
        left / width, 0.5 / height, 1 - 0.15 / width, 1 - top / height, gaps[0] / size[0], gaps[1] / size[1]
    )
    places = list(figure.subplots(down, across, sharey=sharey, squeeze=False).flat)
    for axes in places[count:]:
        axes.set_axis_off()
    return figure, places[:count]


def effects(axes: "Axes", column: Column, cells: list[Cell]) -> None:
    """One panel of the forest plot."""
    axes.axvline(0, color=ink(), linewidth=0.8, alpha=0.5)
    for place, cell in enumerate(cells):
        if cell.change is None:
            continue
        if cell.limits:
            axes.plot(cell.limits, [place, place], color=ink(), linewidth=1.2, solid_capstyle="butt")
        filled = ink() if cell.verdict in DECIDED else "none"
        text = f"{cell.backbone}, {number(cell.metric, cell.change, sign=True)} {cell.verdict_text}"
        axes.plot([cell.change], [place], "o", markersize=5, color=ink(), markerfacecolor=filled, gid=f"line {text}")
    axes.set_title(column[0], fontsize=9)
    axes.set_xlabel(f"change of {heading(column[1])}")
    axes.margins(x=0.12)
    axes.locator_params(axis="x", nbins=5, min_n_ticks=3)
    if column[1].better == "lower":
        axes.invert_xaxis()
    axes.grid(axis="x", color=ink(), alpha=0.15, linewidth=0.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def scatter(summary: Summary, across: int) -> "tuple[Figure, str]":
    """A panel for each task: the mean of each trained row in classification and in the task, each with the interval of
    its change. Better is right and up. And what is shown, in words."""
    columns, ncols = headlines(summary), 2 * across
    legend = LEGEND * -(-len(trained_rows(summary)) // ncols)
    figure, places = panels(len(columns), across, (2.35, 1.7), left=0.8, top=0.5 + legend, gaps=(0.85, 1.05))
    for column, axes in zip(columns, places, strict=True):
        pairs(axes, summary, column)
    handles, labels = places[0].get_legend_handles_labels()
    names = [label.replace("$", r"\$") for label in labels]
    figure.legend(handles, names, loc="upper left", ncols=ncols, frameon=False, fontsize=8.5)
    return figure, f"Classification against {counted(len(columns), 'transfer metric')}, a point a row"


def pairs(axes: "Axes", summary: Summary, column: Column) -> None:
    """One panel of the scatter plot."""
    first = classification(summary)
    for row in trained_rows(summary):
        cells = summary.cell(row, first), summary.cell(row, column)
        x, y = (cell.mean for cell in cells)
        if x is None or y is None:
            continue
        drawn = look(summary.backbones, row)
        color = drawn["color"]
        for cell, mean, other, vertical in ((cells[0], x, y, False), (cells[1], y, x, True)):
            if cell.limits and cell.delta is not None:
                ends = [mean + limit - cell.delta for limit in cell.limits]
                axes.plot(*(([other] * 2, ends) if vertical else (ends, [other] * 2)), color=color, linewidth=1)
        axes.plot([x], [y], drawn.get("marker", "o"), color=color, markersize=5, label=row)
    axes.set(xlabel=heading(first[1]), ylabel=heading(column[1]))
    axes.set_title(f"{column[0]}\n{words(correlation(summary, column))}", fontsize=8.5)
    axes.locator_params(nbins=5)
    for metric, invert in ((first[1], axes.invert_xaxis), (column[1], axes.invert_yaxis)):
        if metric.better == "lower":
            invert()
    axes.grid(color=ink(), alpha=0.15, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


FIGURES = {"forest": forest, "scatter": scatter}
