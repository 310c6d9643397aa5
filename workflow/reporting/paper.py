"""The paper's numbers (CutMix, ICCV 2019), each with the table it stands in: paper_tables.csv, joined by name."""

import csv
from pathlib import Path
from typing import NamedTuple

TABLE = Path(__file__).with_name("paper_tables.csv")


class PaperNumber(NamedTuple):
    """A printed number in percent, where it is printed, and what has to be said about it."""

    value: float
    source: str
    note: str


def paper_numbers() -> dict[tuple[str, str, str], PaperNumber]:
    """(backbone, task, metric) to the paper's number."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    return {
        (row["backbone"], row["task"], row["metric"]): PaperNumber(float(row["value"]), row["source"], row["note"])
        for row in rows
    }
