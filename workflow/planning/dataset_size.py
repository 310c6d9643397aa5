"""Are the data enough for what a config asks of them? No schema can say: it takes what a data check has counted.

Said before anything is trained: by the job of the check (`python -m workflow.planning.dataset_size`), and where the
check is there already, by Snakemake as soon as it is called: a changed batch repeats no check.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow.config import rows
from workflow.config.yaml_loader import relative
from workflow.contracts import DataSet, Task
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError, cli_entry_point
from workflow.registry import PRETRAIN, data_name, datasets, layout_of, task_of

SIZED = ("batch_size", "warmup_iters", "epochs")  # keys of a recipe that the number of training samples bounds


def required_sizes(config: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """What a config asks of a data set.

    Args:
        config: as checked or planned.
        name: of the data set, a key of the config's `data`.

    Returns:
        A recipe an entry, as JSON: `of`, the kind of its training samples; `key`, its section; SIZED keys, and where
        each stands (`at`); where its task has one, the `preflight` of its room.
    """
    found = []
    if data_name(config, PRETRAIN) == name:
        task = task_of(config, PRETRAIN)
        trained = [row for row, each in config["backbones"].items() if rows.origin(each) == "pretrained"]
        found += [need(task, PRETRAIN, rows.recipe(config, row), rows.places(config, row)) for row in trained]
    for instance, recipe in config["tasks"].items():
        if data_name(config, instance) == name:
            key = f"tasks.{instance}"
            found.append(need(task_of(config, instance), key, recipe, {each: f"{key}.{each}" for each in recipe}))
    return [each for number, each in enumerate(found) if each not in found[:number]]


def need(task: Task, key: str, recipe: Mapping[str, Any], places: Mapping[str, str]) -> dict[str, Any]:
    """What of a recipe the data must allow."""
    kept = {each: recipe[each] for each in SIZED if each in recipe and task.kind == "train"}
    preflight = {"preflight": {"room": task.folder, "recipe": recipe}} if task.preflight else {}
    return {"of": task.sample, "key": key, **kept, "at": {each: places[each] for each in kept}, **preflight}


def counted(data: DataSet, check: DatasetInfo, sample: str) -> int | None:
    """How many training samples of a kind a check has found; None if it has not counted them."""
    found: Any = check.as_dict()
    for key in data.samples.get(sample, ()):
        found = found.get(key, {})
    return found if isinstance(found, int) else None


def faults(data: DataSet, check: DatasetInfo, needed: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """A line for each value of the config that the data are too few for.

    Args:
        data: the declaration of the set.
        check: what its check has found.
        needed: as `required_sizes` gives it.
    """
    for each in needed:
        if missing := data.missing(check, each["of"]):
            yield f"{each['key']}: {check.root} {missing}"
            return
    for each in needed:
        number = counted(data, check, each["of"])
        if number is None or "batch_size" not in each:
            continue
        batch, at = each["batch_size"], each["at"]
        if number < batch:
            yield f"{at['batch_size']}: {batch} is more than the {number} {each['of']} in {check.root}"
        elif "epochs" in each and 0 < (end := each["epochs"] * (number // batch)) <= each.get("warmup_iters", 0):
            having = f"{end} iterations, with the {number} {each['of']} in {check.root}"
            yield f"{at['warmup_iters']}: {each['warmup_iters']} is not before the end ({having})"


def check_dataset_size(config: Mapping[str, Any], checks: Mapping[str, str], files: Sequence[str | Path]) -> None:
    """UserError if data that were checked are too few for this config; `files`: its own."""
    name = ", ".join(map(relative, files))
    for data, check in checks.items():
        if Path(check).exists():
            for fault in faults(layout_of(config, data), DatasetInfo.read(check), required_sizes(config, data)):
                raise UserError(f"{name}: {fault}, as counted in {check}; remove that if there are more by now")


def suits(check: str | Path, room: str, key: str, recipe: Mapping[str, Any]) -> bool:
    """Whether checked data suit a recipe in what their counts do not tell. What is missing is printed.

    Args:
        check: CHECK.json.
        room: of the task, whose `preflight` is a process of its own: planning loads nothing that it needs.
        key: the section of the recipe.
        recipe: that section.
    """
    words = ["--dataset-info", str(check), "--key", key, "--recipe", json.dumps(recipe)]
    return not subprocess.run([sys.executable, "-m", room, "preflight", *words], check=False).returncode


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Are checked data enough for what a config asks of them?")
    parser.add_argument("--required-sizes", required=True, type=json.loads, help="what it asks, as planned: JSON")
    parser.add_argument("--dataset-info", required=True, type=Path, help="result of the data check")
    args = parser.parse_args()
    check = DatasetInfo.read(args.dataset_info)
    for fault in faults(datasets()[check.set], check, args.required_sizes):
        raise UserError(fault)
    if not all(
        suits(args.dataset_info, key=each["key"], **each["preflight"])
        for each in args.required_sizes
        if "preflight" in each
    ):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
