"""The benchmark's rows, what was measured of them, and the table made of it."""

import csv
import dataclasses
import importlib
import os
import pkgutil
import re
import time
from importlib.metadata import version
from pathlib import Path

from tests import bench
from tests.bench.row import Measured, Row
from workflow.core.files import atomic
from workflow.core.job_environment import usable_cores

HOUSE = Path(__file__).parents[2]
OUT, KEPT, PAGE = HOUSE / "results/bench/bench.csv", HOUSE / "docs/results/bench.csv", HOUSE / "docs/benchmarks.md"
NUMBERS, WORDS = ["ours", "reference", "ratio"], ["photos", "machine", "month"]
COLUMNS = ["name", *NUMBERS, "unit", *WORDS]
HEAD = "| what | reference | ours | reference's | ratio | target |\n|:--|:--|--:|--:|--:|--:|\n"


def rows() -> dict[str, Row]:
    """The rows of every module of this folder that has some (`ROWS`), in the modules' order."""
    modules = sorted(module.name for module in pkgutil.iter_modules(bench.__path__) if module.name[:1] != "_")
    found = [importlib.import_module(f"tests.bench.{name}") for name in modules if not name.startswith("test_")]
    return {row.name: row for module in found for row in getattr(module, "ROWS", [])}


def machine() -> str:
    """What the numbers depend on: rows of one table have it in common."""
    names = re.findall(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.M)
    return f"{names[0] if names else 'CPU'}, {usable_cores()} cores, torch {version('torch')}"


def measured(name: str) -> Measured:
    """One row; called in a fresh process."""
    row = rows()[name]
    photos = ("real" if "REALMINI" in os.environ else "drawn") if row.loads else ""
    return dataclasses.replace(row.measure(), photos=photos, machine=machine(), month=time.strftime("%Y-%m"))


def read(path: Path) -> dict[str, Measured]:
    """A bench.csv by name; empty where there is none."""
    if not path.is_file():
        return {}
    with path.open(newline="", encoding="utf-8") as file:
        lines = {line["name"]: line for line in csv.DictReader(file)}
    numbers = {name: [float(line[key]) if line[key] else None for key in NUMBERS] for name, line in lines.items()}
    return {name: Measured(*numbers[name], *[line[key] for key in WORDS]) for name, line in lines.items()}


def write(path: Path, found: dict[str, Measured]) -> None:
    """In the order of the rows; a number that is not there is empty."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow(COLUMNS)
        for name, row in rows().items():
            if name in found:
                numbers = ["" if x is None else f"{x:.4g}" for x in (getattr(found[name], key) for key in NUMBERS)]
                lines.writerow([name, *numbers, row.unit, *[getattr(found[name], key) for key in WORDS]])


def table(found: dict[str, Measured]) -> str:
    """As Markdown; a missed target is said, with what stands in the way. Below it, where and when it was measured."""
    text = HEAD
    for name, row in rows().items():
        if name not in found:
            continue
        one = found[name]
        sides = [f"{x:.3g} {row.unit}" if x is not None else "–" for x in (one.ours, one.reference)]
        ratio = "–" if one.ratio is None else f"{one.ratio:.2f} ×"
        target = f"≤ {row.target:g} s" if one.ratio is None else f"≥ {row.target:g} ×"
        missed = "" if row.met(one) else f" missed: {row.why}"
        what = row.what + (f" ({one.photos} photos)" if one.photos else "")
        text += f"| {what} | {row.reference} | {' | '.join(sides)} | {ratio} | {target}{missed} |\n"
    where, when = (" and ".join(sorted({getattr(one, key) for one in found.values()})) for key in ("machine", "month"))
    return f"{text}\nMeasured on {where}; {when}."
