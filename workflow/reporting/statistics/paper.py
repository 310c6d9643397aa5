"""The paper's numbers (CutMix, ICCV 2019), each with the table it stands in, joined by name: the
file `report/paper.csv` of a task's room, if the paper has the task. A column `pretraining` there says of which
pretraining set a number is, by the name of its layout; without it a number is of any."""

import csv
from pathlib import Path
from typing import NamedTuple

from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.plan import Plan
from workflow.registry import PRETRAIN

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


def comparable(plan: Plan, numbers: PaperNumbers) -> PaperNumbers:
    """Those of them whose data, and those of the pretraining, are the paper's: next to generated images or to a part of
    a set they would be read as a target."""
    known = {PRETRAIN, *(task for _, _, task, _ in numbers)}
    checks = {run.task: Path(run.check) for run in plan.runs if run.task in known}
    whole = {task for task, check in checks.items() if official(plan, registry.data_name(plan.config, task), check)}
    return {key: number for key, number in numbers.items() if {PRETRAIN, key[2]} <= whole}


def official(plan: Plan, name: str, check: Path) -> bool:
    """Whether a data set is checked and has as many images as the published one."""
    if "synthetic" in plan.config["data"][name] or not check.is_file():
        return False
    info = DatasetInfo.read(check)
    published = registry.layout_of(plan.config, name).counts.get(info.split or "", {})
    return bool(published) and published.items() <= info.counts.items()


def rows(file: Path) -> list[dict[str, str]]:
    """Of a room's table; none if there is no such file."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
