"""Draw the curves of a task: a panel for each protocol, in it a line for each backbone, with the 95 % interval of each
point over resamples of the test images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from robustness.occlusion import sizes
from robustness.scores import ALEXNET
from robustness.task import TASKS
from workflow.contracts import Resampling
from workflow.core.files import atomic, read_json
from workflow.reporting.figures import COMMENT, comment, records
from workflow.reporting.page.curves import look
from workflow.reporting.statistics.bootstrap import Resampled, resample
from workflow.reporting.statistics.intervals import LEVEL
from workflow.reporting.statistics.per_image import read

ACROSS, WIDTH, HEIGHT = 3, 3.6, 2.7  # panels in a row; inches of one


@dataclass(frozen=True)
class Panel:
    """A protocol.

    Args:
        title: heading.
        label: of the values.
        xlabel: of what changes along the curve.
        x: its values.
        points: names of the points (robustness.scores.curve_points), one for each of `x`.
    """

    title: str
    label: str
    xlabel: str
    x: Sequence[float]
    points: Sequence[str]


def panels(task: str, recipe: dict[str, Any]) -> list[Panel]:
    """The protocols of a recipe of a type of task."""
    if task == "imagenet_c":
        titles = [name.replace("_", " ") for name in ALEXNET]
        return [
            Panel(title, "error (%)", "severity", range(1, 6), named("corruption_errors", 5, 5 * number))
            for number, title in enumerate(titles)
        ]
    hole, square = (sizes(recipe["crop_size"], recipe[f"{name}_steps"]) for name in ("occlusion", "cutmix"))
    shares = [step / recipe["mixup_steps"] for step in range(recipe["mixup_steps"] + 1)]
    error, neither = "error (%)", "neither class (%)"
    described = (
        ("fgsm", "FGSM", "accuracy (%)", "eps (1/255)", [0, *recipe["fgsm_eps"]]),
        ("center", "occlusion of the centre", error, "side of the hole (px)", hole),
        ("boundary", "occlusion of the boundary", error, "side of what is seen (px)", hole),
        ("mixup", "between two classes: Mixup", neither, "λ", shares),
        ("cutmix", "between two classes: CutMix", neither, "side of the square (px)", square),
    )
    return [Panel(title, label, xlabel, x, named(key, len(x))) for key, title, label, xlabel, x in described]


def named(curve: str, count: int, start: int = 0) -> list[str]:
    """The names of `count` points of a curve."""
    return [f"{curve} {start + number}" for number in range(count)]


def draw(axes: Axes, panel: Panel, runs: dict[str, dict[str, Resampled]]) -> None:
    """The lines of a panel; a point on its own is a dot with a bar."""
    tail = 100 * (1 - LEVEL) / 2
    for name, points in runs.items():
        style = look(list(runs), name)
        middle = np.array([points[point].point for point in panel.points])
        low, high = np.percentile([points[point].draws for point in panel.points], [tail, 100 - tail], axis=1)
        axes.plot(panel.x, middle, linewidth=1.2, **({"marker": "o", "markersize": 2.5} | style))
        axes.fill_between(panel.x, low, high, color=style["color"], alpha=0.2, linewidth=0)
        if len(panel.x) == 1:
            axes.errorbar(panel.x, middle, [middle - low, high - middle], color=style["color"])
    axes.set_title(panel.title, fontsize=10)
    axes.set(xlabel=panel.xlabel, ylabel=panel.label, ylim=(-2, 102))
    axes.grid(alpha=0.15, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)


def make(runs: dict[str, Path], out: Path) -> None:
    """Draw the curves of runs of one task.

    Args:
        runs: backbone to the folder of its run.
        out: the PNG to write.
    """
    config = read_json(next(iter(runs.values())) / "config.json", "task", "recipe")
    task = config["recipe"].get("task", config["task"])
    resampling = next(each.resampling for each in TASKS if each.name == task)
    every = panels(task, config["recipe"])
    found = {name: points(folder, resampling) for name, folder in runs.items()}
    rows = -(-len(every) // ACROSS)
    figure = Figure(figsize=(ACROSS * WIDTH, rows * HEIGHT + 0.5), layout="constrained")
    places = figure.subplots(rows, ACROSS, squeeze=False).flat
    for panel, axes in zip(every, places, strict=False):
        draw(axes, panel, found)
    for axes in list(places):
        axes.set_axis_off()
    handles = figure.axes[0].get_lines()
    legend = figure.legend(handles, list(runs), loc="outside upper left", ncols=8, frameon=False, fontsize=9)
    for text in legend.get_texts():
        text.set_parse_math(False)
    with atomic(out) as temporary:
        figure.savefig(temporary, format="png", dpi=110, metadata={COMMENT: comment(records(runs))})


def points(folder: Path, resampling: tuple[Resampling, ...]) -> dict[str, Resampled]:
    """Every point of every curve of a run, with its resamples."""
    evidence = read(folder / "per_image.npz", resampling)
    return resample(evidence) if evidence else {}
