"""Before any job: what would else be found out after hours of other rows' training. An imported file of
another network, a vocabulary without a word, a folder that cannot be written into."""

import functools
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workflow import registry
from workflow.config.library_weights import library_weights
from workflow.config.loading import load
from workflow.config.rows import origin
from workflow.config.yaml_loader import relative
from workflow.contracts import Task
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.escaping import printable
from workflow.core.files import read_json
from workflow.planning.dataset_classes import check_dataset_classes
from workflow.planning.dataset_size import check_dataset_size, suits
from workflow.planning.plan import Plan, plan
from workflow.planning.planned_run import PlannedRun
from workflow.planning.stored_records import transfer_records
from workflow.planning.tracking import refuse_missing, tracker

MANY = 2000  # runs
OTHERS = 15  # jobs: of data sets, vocabulary, pictures, tables


def load_plan(files: Sequence[str | Path], overrides: Mapping[str, Any], fetched: bool = True) -> Plan:
    """The plan of a Snakemake call: of its config files and what --config adds; `fetched`: with no weights that are to
    be fetched. A fault ends the process with one line."""
    try:
        if not files:
            raise UserError("--config alone: name the file that it changes, e.g. --configfile config/demo.yaml")
        config = load(*files, overrides=overrides)
        warn_of_many(config)
        todo = plan(config)
        warn_of_unused(todo)
        refuse_missing(tracker(config))
        refuse_no_folders(todo)
        refuse_unread(todo)
        if fetched:
            refuse_unfetched(todo)
        check_dataset_size(todo.config, todo.checks, files)
        check_dataset_classes(todo.config, todo.checks, ", ".join(map(relative, files)))
        return todo
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
        raise SystemExit(1) from None


def warn_of_many(config: Mapping[str, Any]) -> None:
    """Say at once how much is planned, where that takes long."""
    seeds, backbones = config["seeds"], config["backbones"].values()
    starts = sum(1 if origin(each) == "imported" else len(seeds["pretrain"]) for each in backbones)
    tasks = [(registry.task_of(config, name), recipe) for name, recipe in config["tasks"].items()]
    transfers = sum(len(seeds["transfer"]) if task.kind == "train" else 1 for task, _ in tasks)
    runs = starts * (1 + transfers)
    if runs < MANY:
        return
    shared = [one.folder(recipe, "", "") for task, recipe in tasks for one in task.shared if one.per_backbone]
    jobs = runs + starts * sum(map(bool, shared)) + OTHERS
    warn(
        f"{runs:,} runs ({starts:,} backbones), about {jobs:,} jobs: Snakemake needs minutes for each ten thousand "
        "before the first one begins. Fewer seeds, or a config for each part of the rows, need less"
    )


def warn_of_unused(todo: Plan) -> None:
    """Say which records in the folders of `records` do not count, and why."""
    refused = [run for run in todo.runs if run.refused]
    if refused:
        more = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
        name = f"{refused[0].task} {refused[0].backbone} {refused[0].seed_name}"
        warn(f"records: not of this plan, and run here: {name}: {refused[0].refused}{more}")
    planned = {Path(run.record).parts[-4:-1] for run in todo.runs}
    for folder in todo.config.get("records", []):
        found = [record.parts[-4:-1] for record in transfer_records(Path(folder))]
        others = [parts for parts in found if parts not in planned]
        rows = ", ".join(dict.fromkeys(f"{task} {row} {seeds}" for task, row, seeds in others[:3]))
        if others:
            warn(
                f"records: {len(others)} of {len(found)} in {folder} are of no run of this config: {rows}"
                + (", …" if len(others) > 3 else "")
            )


def warn(text: str) -> None:
    """Print a warning in one line."""
    print(printable(f"warning: {text}"), file=sys.stderr, flush=True)


def output_dirs(runs: Iterable[PlannedRun]) -> dict[Path, Path]:
    """The folders that jobs are yet to write into, each with what there is of it: itself, or a folder above it."""
    files = {file for run in runs for file in (run.record, run.state, *run.shared.values()) if file}
    folders = sorted({file.rpartition("/")[0] for file in files if not os.path.exists(file)})  # noqa: PTH110 (slow)

    @functools.cache
    def nearest(folder: str) -> Path:
        return Path(folder) if os.path.lexists(folder or ".") else nearest(folder.rpartition("/")[0])

    return {Path(folder): nearest(folder) for folder in folders}


def refuse_no_folders(todo: Plan) -> None:
    """UserError for a file where a folder is to be: Snakemake has no words for it."""
    for folder, there in output_dirs(todo.jobs).items():
        if not there.is_dir():
            raise UserError(f"{there}: not a folder, and {folder} is to be written")


def refuse_unread(todo: Plan) -> None:
    """UserError for a broken file of those that are read in planning, while it can still be said in one line."""
    for file in (Path(record) for record in (*todo.fetched.values(), *todo.library_weights.values())):
        if file.exists():
            read_json(file, "times")
    for check in todo.checks.values():
        if Path(check).exists():
            DatasetInfo.read(check)
    for run in todo.jobs:
        if not Path(run.check).exists() and Path(run.record).is_file():
            read_json(run.record, "provenance")


def refuse_unfetched(todo: Plan) -> None:
    """UserError for weights of a library that a row starts from and that are not here yet."""
    for row, backbone in todo.config["backbones"].items():
        text = backbone.get("checkpoint", "")
        weights = library_weights(text)
        if weights and not weights.fetched():
            raise UserError(
                f"backbones.{row}.checkpoint: {text} is not in {weights.folder}; `snakemake data --cores 2 "
                "--configfile CONFIG` fetches it"
            )


def declared(run: PlannedRun) -> Task:
    """The declaration of the task that a run is an instance of."""
    return registry.tasks()[registry.type_name(run.task, run.run["recipe"])]


def check_before_start(runs: Sequence[PlannedRun], cores: int | None = None) -> None:
    """End the process with a line if what is planned and not yet done cannot be. `cores`: those of `--cores`."""
    if cores == 0:
        print("error: --cores 0: no job could ever begin", file=sys.stderr, flush=True)
        raise SystemExit(1)
    todo = [run for run in runs if not Path(run.record).exists()]
    for folder, there in output_dirs(todo).items():
        if not os.access(there, os.W_OK | os.X_OK):
            text = printable(f"error: {there}: not writable, and {folder} is to be written")
            print(text, file=sys.stderr, flush=True)
            raise SystemExit(1)
    asked = [run for run in todo if declared(run).preflight and Path(run.check).exists()]
    recipes = {(run.check, run.room, f"tasks.{run.task}"): run.run["recipe"] for run in asked}
    if not all(suits(*of, recipe) for of, recipe in recipes.items()):
        raise SystemExit(1)
    check_checkpoints(runs)


def check_checkpoints(runs: Sequence[PlannedRun]) -> None:
    """Imported files that are here and not yet published. A process of its own, because planning does without torch."""
    imported = [run for run in runs if run.task == registry.PRETRAIN and run.origin == "imported"]
    recipes = [run.run["recipe"] for run in imported if not Path(run.weights).exists()]
    recipes = [recipe for recipe in recipes if recipe["sha256"]]  # what is being fetched has none yet
    scored_by = dict.fromkeys(f"tasks.{run.task}" for run in runs if declared(run).classifier)
    call = [sys.executable, "-m", "pretrain", "preflight", "--recipes", json.dumps(recipes), "--scored-by", *scored_by]
    if recipes and subprocess.run(call, check=False).returncode:
        raise SystemExit(1)
