"""Learning curves: one SVG a task, the training loss above, the evaluations below (if there is more than the last one),
a thin line for each run.

Ink is `currentColor`, so that the same drawing is read on a light and on a dark page; a line's title is its run.
"""

import io
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from workflow.reporting.metrics import heading
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.summary import Summary

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

WIDTH, HEIGHT, LEGEND = 5.2, 4.3, 0.22  # inches: the figure without its legend, and a row of that
POINTS = 100  # of a line at most: more are not seen
# Okabe and Ito (2008) for the colour-blind, black and yellow changed so that they show on light and dark alike.
COLOURS = ("#8a8f94", "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#b8860b", "#8f63c4")
DASHES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (6, 1.5, 1, 1.5)))  # a colour comes again with another line
MARKERS = ("s", "^", "D")  # and then with marks on it: 128 looks in all
INK = "#123456"  # stands for currentColor while matplotlib draws
SANS = "-apple-system, 'Segoe UI', Roboto, 'Liberation Sans', Arial, sans-serif"
SVG = "http://www.w3.org/2000/svg"
PLACES = {"d", "x", "y", "transform"}  # attributes in points, of which two digits are seen
Line = tuple[list[float], list[float]]


def losses(outcome: FinishedRun) -> Line:
    """Iterations and mean training losses, POINTS of them at most: neighbours are averaged."""
    points = outcome.record["history"]["points"]
    bundle = -(-len(points) // POINTS) or 1
    groups = [points[start : start + bundle] for start in range(0, len(points), bundle)]
    return [group[-1]["iteration"] for group in groups], [sum(p["loss"] for p in g) / len(g) for g in groups]


def evaluations(outcome: FinishedRun) -> Line:
    """Iterations and values of the task's headline, where it was evaluated."""
    metric = outcome.declaration.headline.name
    found = [each for each in outcome.record["history"]["evaluations"] if metric in each]
    return [each["iteration"] for each in found], [each[metric] for each in found]


def curves(summary: Summary, task: str) -> str:
    """The SVG of a task's runs, as a file of its own."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    metric = summary.tasks[task].headline
    planned = [outcome for outcome in summary.outcomes if outcome.task == task]
    runs = [o for o in planned if isinstance(o, FinishedRun) and o.record["history"]["points"]]
    waiting = not all(isinstance(outcome, FinishedRun) for outcome in planned)
    empty = "no record yet" if waiting else "no run was trained here"
    across = int(330 / (40 + 5 * max(map(len, summary.backbones)))) or 1  # points: names in a row of the legend
    rows = -(-len(summary.backbones) // across)
    several = any(len(evaluations(run)[0]) > 1 for run in runs)  # one value is no curve, and stands in the table
    with mpl.rc_context(style(task)):
        height = (HEIGHT if several else HEIGHT / 2) + rows * LEGEND
        figure = Figure(figsize=(WIDTH, height))
        panels = figure.subplots(2 if several else 1, 1, sharex=True, squeeze=False)[:, 0]
        figure.subplots_adjust(0.115, 0.45 / height, 0.985, 1 - (rows * LEGEND + 0.2) / height, hspace=0.12)
        draw(panels[0], runs, summary.backbones, losses, "training loss", empty)
        if several:
            draw(panels[1], runs, summary.backbones, evaluations, heading(metric), empty, marker="o")
        panels[-1].set_xlabel("iteration")
        legend(figure, summary.backbones, across)
        what = f"training loss and {metric.name}" if several else "training loss"
        return as_svg(figure, f"Learning curves of {task}: {what} of {len(runs)} runs")


def ink() -> str:
    """That of the drawing which `style` is in force for."""
    import matplotlib as mpl

    color: str = mpl.rcParams["text.color"]
    return color


def style(salt: str, color: str = INK) -> "dict[RcKeyType, Any]":
    """Of a drawing in ink of a `color`, by default the page's; `salt` makes the ids in it those of every drawing of the
    kind."""
    drawn: dict[RcKeyType, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": salt,
        "font.size": 9.5,
        "axes.linewidth": 0.6,
    }
    return drawn | dict.fromkeys(
        ("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), color
    )


def as_svg(figure: "Figure", words: str) -> str:
    """A figure, drawn in `style`, as a file of its own; `words` are for those who do not see it."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    return finished(buffer.getvalue(), words)


def look(backbones: list[str], name: str) -> dict[str, Any]:
    """Colour, dashes and, if there are many backbones, markers of a backbone's lines."""
    again, colour = divmod(backbones.index(name), len(COLOURS))
    marked, dashes = divmod(again, len(DASHES))
    marker = {"marker": MARKERS[(marked - 1) % len(MARKERS)]} if marked else {}
    return {"color": COLOURS[colour], "linestyle": DASHES[dashes], **marker}


def draw(
    axes: "Axes",
    runs: list[FinishedRun],
    backbones: list[str],
    line: Callable[[FinishedRun], Line],
    label: str,
    empty: str,
    **style: Any,
) -> None:
    """One panel: a line for each run; a single value is a dot. `empty`: why there is no run at all."""
    several = len(runs) > len({run.backbone for run in runs})
    for run in runs:
        steps, values = line(run)
        if steps:
            drawn = {"linewidth": 0.7 if several else 1.2, "alpha": 0.9, "markersize": 2.5, **style}
            drawn |= look(backbones, run.backbone)
            axes.plot(steps, values, gid=f"line {run.backbone} {run.seed_name}", **drawn)
    if not runs:
        axes.text(0.5, 0.5, empty, transform=axes.transAxes, ha="center", va="center")
    axes.set_ylabel(label)
    axes.margins(x=0.02)
    axes.grid(color=INK, alpha=0.15, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def legend(figure: "Figure", backbones: list[str], across: int) -> None:
    """The backbones with their lines, above the panels."""
    from matplotlib.lines import Line2D

    lines = [Line2D([], [], linewidth=2, **look(backbones, name)) for name in backbones]
    names = [name.replace("$", r"\$") for name in backbones]
    figure.legend(lines, names, loc="upper left", bbox_to_anchor=(0.09, 1), ncols=across, frameon=False, fontsize=8.5)


def finished(svg: str, words: str) -> str:
    """matplotlib's SVG with `words` for those who do not see it, titles on its lines, the page's ink and font, places
    in hundredths of a point, and no ids but those that it refers to itself (several stand on one page)."""
    ElementTree.register_namespace("", SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(svg)
    root.attrib |= {"role": "img", "aria-label": words}
    for parent in list(root.iter()):
        for child in [child for child in parent if child.tag.endswith("metadata")]:
            parent.remove(child)
        name = parent.get("id", "")
        if name.startswith("line "):
            title = ElementTree.Element(f"{{{SVG}}}title")
            title.text = name.removeprefix("line ")
            parent.insert(0, title)
        if parent.tag == f"{{{SVG}}}g":
            parent.attrib.pop("id", None)
        for place in PLACES.intersection(parent.keys()):
            parent.set(place, re.sub(r"(\.\d\d)\d+", r"\1", parent.get(place, "")))
    text = ElementTree.tostring(root, encoding="unicode").replace(INK, "currentColor")
    return re.sub(r"(font(?:-family)?: [^;\"]*?)'DejaVu Sans'[^;\"]*", rf"\g<1>{SANS}", text) + "\n"
