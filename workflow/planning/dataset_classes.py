"""Does the pretraining set have the classes of the data on which tasks score the backbones' own classifiers? It takes
the checks of two data sets: asked by the job that waits for all checks (`python -m workflow.planning.dataset_classes`),
and where both are there already, by Snakemake as soon as it is called."""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow.config import rows
from workflow.contracts import Task
from workflow.core.dataset_info import DatasetInfo, unknown_classes
from workflow.core.errors import UserError, cli_entry_point
from workflow.registry import PRETRAIN, data_name, task_of

Pair = tuple[str, str, str]  # section of a task, and CHECK.json of its data and of the pretraining set


def required_classes(config: Mapping[str, Any], checks: Mapping[str, str]) -> list[Pair]:
    """What a config asks of the classes of its data sets; nothing if all its backbones are imported, whose classes are
    known when they are opened only.

    Args:
        config: as checked or planned.
        checks: data set to its CHECK.json.
    """
    known = data_name(config, PRETRAIN)
    classifying = [task for task in config["tasks"] if _has_known_classes(task_of(config, task))]
    scored = [task for task in classifying if data_name(config, task) != known]
    if all(rows.origin(row) == "imported" for row in config["backbones"].values()):
        return []
    return [(f"tasks.{task}", checks[data_name(config, task)], checks[known]) for task in scored]


def _has_known_classes(task: Task) -> bool:
    return task.classifier and not task.in_distribution


def class_faults(pairs: Sequence[Pair]) -> Iterator[str]:
    """A line for each task whose data have a class that its backbones do not know."""
    for key, data, pretraining in pairs:
        tested, known = DatasetInfo.read(data), DatasetInfo.read(pretraining)
        if unknown := unknown_classes(known.classes, tested.classes):
            has = f"{tested.root} has classes that the pretraining set {known.root} lacks"
            yield f"{key}: {has}: {unknown}; no classifier of a backbone knows them"


def check_dataset_classes(config: Mapping[str, Any], checks: Mapping[str, str], name: str) -> None:
    """UserError for checked data with classes that the pretraining set lacks; `name`: of the config."""
    pairs = required_classes(config, checks)
    for fault in class_faults([pair for pair in pairs if all(Path(check).exists() for check in pair[1:])]):
        raise UserError(f"{name}: {fault}")


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Does the pretraining set have the classes of other data sets?")
    parser.add_argument("--pairs", required=True, type=json.loads, help="what a config asks, as planned: JSON")
    for fault in class_faults(parser.parse_args().pairs):
        raise UserError(fault)


if __name__ == "__main__":
    main()
