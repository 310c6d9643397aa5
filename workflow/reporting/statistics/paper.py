"""The paper's numbers (CutMix, ICCV 2019), each with the table it stands in, joined by name: the
file `report/paper.csv` of a task's room, if the paper has the task. A column `pretraining` there says of which
pretraining set a number is, by the name of its layout; without it a number is of any."""

import csv
from pathlib import Path
from typing import NamedTuple

from workflow import registry

FILE = "report/paper.csv"


class PaperNumber(NamedTuple):
    """A printed number in the metric's unit, where it is printed, and what has to be said about it."""

    value: float
    source: str
    note: str


PaperNumbers = dict[tuple[str, str, str, str], PaperNumber]  # of (network, backbone, task, metric)


def paper_numbers(pretraining: str) -> PaperNumbers:
    """Those of networks that are pretrained on a set of this layout."""
    return {
        (row["network"], row["backbone"], row["task"], row["metric"]): PaperNumber(
            float(row["value"]), row["source"], row["note"]
        )
        for room in dict.fromkeys(task.room for task in registry.tasks().values())
        for row in rows(room / FILE)
        if row.get("pretraining", pretraining) == pretraining
    }


def rows(file: Path) -> list[dict[str, str]]:
    """Of a room's table; none if there is no such file."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
