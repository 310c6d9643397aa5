"""The benchmark's rows, what was measured of them, and the table made of it."""

import csv
import importlib
import pkgutil
from pathlib import Path

from tests import bench
from tests.bench.row import Measured, Row
from workflow.training.files import atomic

HOUSE = Path(__file__).parents[2]
OUT, KEPT, README = HOUSE / "results/bench/bench.csv", HOUSE / "docs/results/bench.csv", HOUSE / "README.md"
COLUMNS = ["name", "ours", "reference", "ratio", "unit"]
HEAD = "| what | reference | ours | reference's | ratio | target |\n|:--|:--|--:|--:|--:|--:|\n"


def rows() -> dict[str, Row]:
    """The rows of every module of this folder that has some (`ROWS`), in the modules' order."""
    modules = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name[:1] != "_")
    found = [importlib.import_module(f"tests.bench.{name}") for name in modules if not name.startswith("test_")]
    return {row.name: row for module in found for row in getattr(module, "ROWS", [])}


def measured(name: str) -> Measured:
    """One row; called in a fresh process."""
    return rows()[name].measure()


def read(path: Path) -> dict[str, Measured]:
    """A bench.csv by name; empty where there is none."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        numbers = {line["name"]: [line[key] for key in COLUMNS[1:4]] for line in csv.DictReader(file)}
    return {name: Measured(*[float(value) if value else None for value in each]) for name, each in numbers.items()}


def write(path: Path, found: dict[str, Measured]) -> None:
    """In the order of the rows; a number that is not there is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for name, row in rows().items():
            if name in found:
                numbers = [found[name].ours, found[name].reference, found[name].ratio]
                lines.writerow([name, *["" if x is None else f"{x:.4g}" for x in numbers], row.unit])


def table(found: dict[str, Measured]) -> str:
    """As Markdown; a missed target is said, with what stands in the way."""
    text = HEAD
    for name, row in rows().items():
        if name not in found:
            continue
        one = found[name]
        sides = [f"{x:.3g} {row.unit}" if x is not None else "–" for x in (one.ours, one.reference)]
        ratio = "–" if one.ratio is None else f"{one.ratio:.2f} ×"
        target = f"≤ {row.target:g} s" if one.ratio is None else f"≥ {row.target:g} ×"
        missed = "" if row.met(one) else f" missed: {row.why}"
        text += f"| {row.what} | {row.reference} | {' | '.join(sides)} | {ratio} | {target}{missed} |\n"
    return text.rstrip("\n")
