"""The paper's numbers (CutMix, ICCV 2019), each with the table it stands in, joined by name: the
file `report/paper.csv` of a task's room, if the paper has the task. A column `pretraining` there says of which
pretraining set a number is, by the name of its layout; without it a number is of any."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from workflow import registry
from workflow.registry import PRETRAIN
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.statistics import per_image

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


def comparable(config: Mapping[str, Any], outcomes: Iterable[Outcome], numbers: PaperNumbers) -> PaperNumbers:
    """Those of them whose data, and those of the pretraining, are the paper's: next to generated images or to a part of
    a set they would be read as a target."""
    runs = {outcome.task: outcome for outcome in outcomes if isinstance(outcome, FinishedRun)}
    tasks = {PRETRAIN, *(task for _, _, task, _ in numbers)} & {PRETRAIN, *config["tasks"]}
    whole = {task for task in tasks if official(config, task, runs.get(task))}
    return {key: number for key, number in numbers.items() if {PRETRAIN, key[2]} <= whole}


def official(config: Mapping[str, Any], task: str, run: FinishedRun | None) -> bool:
    """Whether the data of a task are not generated, and a run of it was tested on as many images as the published set
    has."""
    name = registry.data_name(config, task)
    section, layout = config["data"][name], registry.layout_of(config, name)
    published = layout.counts.get(section.get("split", ""), {}).get(registry.parts_of(config, task)[1])
    found = run and per_image.read(run.path.with_name("per_image.npz"), run.declaration.resampling)
    return "synthetic" not in section and (not found or not published or len(found.images) == published)


def rows(file: Path) -> list[dict[str, str]]:
    """Of a room's table; none if there is no such file."""
    if not file.is_file():
        return []
    with file.open(encoding="utf-8", newline="") as opened:
        return list(csv.DictReader(opened))
