"""The two figures of the answer: the change of each row in each task with its interval, and classification against each
transfer metric."""

from typing import TYPE_CHECKING

from workflow.reporting.answer import classification, compared, correlation, counted, headlines, trained_rows, words
from workflow.reporting.metrics import heading, number
from workflow.reporting.page.curves import INK, as_svg, look, style
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Column, Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ACROSS, PANEL, ROW = 3, 3.1, 0.26  # panels in a row; inches of a panel's width, and of a backbone's line
DECIDED = ("better", "worse")


def forest(summary: Summary) -> str:
    """A panel for classification and each task, in it a line for each row that has a baseline: its change, with the
    95 % interval where there is one. A marker is filled where there is a verdict. Right is better."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    rows, columns = compared(summary), [classification(summary), *headlines(summary)]
    with mpl.rc_context(style("forest")):
        across = min(ACROSS, len(columns))
        down = -(-len(columns) // across)
        figure = Figure(figsize=(across * PANEL + 1, down * (len(rows) * ROW + 0.95)), layout="constrained")
        places = list(figure.subplots(down, across, sharey=True, squeeze=False).flat)
        for column, axes in zip(columns, places, strict=False):
            effects(axes, column, [summary.cell(row, column) for row in rows])
        for axes in places[len(columns) :]:
            axes.set_axis_off()
        places[0].set_yticks(range(len(rows)), [row.replace("$", r"\$") for row in rows])
        places[0].set_ylim(len(rows) - 0.4, -0.6)
        return as_svg(figure, f"Changes of {counted(len(rows), 'row')} in {counted(len(columns), 'task')}")


def effects(axes: "Axes", column: Column, cells: list[Cell]) -> None:
    """One panel of the forest plot."""
    axes.axvline(0, color=INK, linewidth=0.8, alpha=0.5)
    for place, cell in enumerate(cells):
        if cell.change is None:
            continue
        if cell.limits:
            axes.plot(cell.limits, [place, place], color=INK, linewidth=1.2, solid_capstyle="butt")
        filled = INK if cell.verdict in DECIDED else "none"
        text = f"{cell.backbone}, {number(cell.metric, cell.change, sign=True)} {cell.verdict_text}"
        axes.plot([cell.change], [place], "o", markersize=5, color=INK, markerfacecolor=filled, gid=f"line {text}")
    axes.set_title(column[0], fontsize=9)
    axes.set_xlabel(f"change of {heading(column[1])}")
    axes.margins(x=0.12)
    if column[1].better == "lower":
        axes.invert_xaxis()
    axes.grid(axis="x", color=INK, alpha=0.15, linewidth=0.5)
    axes.spines[["top", "right", "left"]].set_visible(False)
    axes.tick_params(axis="y", length=0)


def scatter(summary: Summary) -> str:
    """A panel for each task: the mean of each trained row in classification and in the task, each with the interval of
    its change. Better is right and up."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    columns = headlines(summary)
    with mpl.rc_context(style("scatter")):
        across = min(ACROSS, len(columns))
        down = -(-len(columns) // across)
        figure = Figure(figsize=(across * PANEL + 1, down * 2.7 + 0.5), layout="constrained")
        places = list(figure.subplots(down, across, squeeze=False).flat)
        for column, axes in zip(columns, places, strict=False):
            pairs(axes, summary, column)
        for axes in places[len(columns) :]:
            axes.set_axis_off()
        handles, labels = places[0].get_legend_handles_labels()
        names = [label.replace("$", r"\$") for label in labels]
        figure.legend(handles, names, loc="outside upper left", ncols=6, frameon=False, fontsize=8.5)
        return as_svg(figure, f"Classification against {counted(len(columns), 'transfer metric')}, a point a row")


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
    for metric, invert in ((first[1], axes.invert_xaxis), (column[1], axes.invert_yaxis)):
        if metric.better == "lower":
            invert()
    axes.grid(color=INK, alpha=0.15, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
