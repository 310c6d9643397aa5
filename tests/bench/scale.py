"""Does the cost of an image stay flat as the data grow? `python -m tests.bench.scale`, or `make scale`.

Every scale_*.py of this folder measures a part at 1, 10 and 100 times the demo's size, each in a fresh process; memory
is the process's own. Writes docs/results/scale.csv and draws it as docs/results/scale.svg, which
docs/benchmarks.md shows with a line below it.
"""

import csv
import importlib
import pkgutil
from collections.abc import Iterable
from pathlib import Path

from tests import bench
from workflow.core.files import atomic
from workflow.reporting.publish import insert

HOUSE = Path(__file__).parents[2]
CSV, SVG, PAGE = HOUSE / "docs/results/scale.csv", HOUSE / "docs/results/scale.svg", HOUSE / "docs/benchmarks.md"
COLUMNS = ["part", "images", "images_per_second", "peak_MiB"]
FLAT = 0.03  # how far the throughput may move
COLOURS = ("#0072b2", "#d55e00", "#009e73")  # Okabe and Ito (2008)

Point = tuple[str, int, float, float]


def points() -> Iterable[Point]:
    """Of all parts."""
    for module in sorted(module.name for module in pkgutil.iter_modules(bench.__path__)):
        if module.startswith("scale_"):
            yield from importlib.import_module(f"tests.bench.{module}").points()


def write(path: Path, found: Iterable[Point]) -> None:
    """The CSV."""
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        lines.writerows([part, images, f"{speed:.4g}", f"{peak:.1f}"] for part, images, speed, peak in found)


def read(path: Path) -> dict[str, list[Point]]:
    """The CSV by part, the smallest first."""
    found: dict[str, list[Point]] = {}
    with path.open(newline="", encoding="utf-8") as file:
        for line in csv.DictReader(file):
            point = (line["part"], int(line["images"]), float(line["images_per_second"]), float(line["peak_MiB"]))
            found.setdefault(line["part"], []).append(point)
    return {part: sorted(each, key=lambda point: point[1]) for part, each in found.items()}


def draw(parts: dict[str, list[Point]], path: Path) -> None:
    """Two panels over the size of the data: throughput relative to the smallest, and peak memory."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context(
        {"svg.hashsalt": "scale", "font.size": 9, "axes.spines.top": False, "axes.spines.right": False}
    ):
        figure = Figure(figsize=(8, 3), layout="constrained")
        speed, memory = figure.subplots(1, 2)
        for (part, found), colour in zip(parts.items(), COLOURS, strict=True):
            times = [images / found[0][1] for _, images, _, _ in found]
            speed.plot(times, [each / found[0][2] for _, _, each, _ in found], "o-", color=colour, label=part)
            memory.plot(times, [peak for *_, peak in found], "o-", color=colour, label=part)
        speed.axhspan(1 - FLAT, 1 + FLAT, color="#000000", alpha=0.08, linewidth=0)
        speed.set(ylim=(0, None), ylabel="images/s, relative")
        memory.set(ylim=(0, None), ylabel="peak MiB")
        for panel in (speed, memory):
            panel.set(xscale="log", xlabel="times the demo's data", xticks=[1, 10, 100], xticklabels=["1", "10", "100"])
            panel.minorticks_off()
        speed.legend(frameon=False, loc="lower left")
        with atomic(path) as temporary:
            figure.savefig(temporary, format="svg", metadata={"Date": None}, facecolor="white")


def line(parts: dict[str, list[Point]]) -> str:
    """How far each part's throughput is from that of the smallest, as Markdown."""
    each = []
    for part, (first, *others) in parts.items():
        apart = [f"{100 * (speed / first[2] - 1):+.0f} %" for _, _, speed, _ in others]
        each.append(f"{part} {' and '.join(apart)}".replace("-", "−"))
    return f"Images/s at 10 and 100 times the demo's data, against those at the demo's: {'; '.join(each)}."


def main() -> None:
    """Measure, write and draw."""
    found = []
    for point in points():
        found.append(point)
        print("{}: {:,} images: {:,.0f} images/s, {:,.0f} MiB".format(*point), flush=True)
    write(CSV, found)
    draw(read(CSV), SVG)
    insert(PAGE, "scale", line(read(CSV)))


if __name__ == "__main__":
    main()
