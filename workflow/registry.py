"""Finds the declarations: each top-level folder with a `task.py` is a room of tasks, each file of workflow/data/sets a
data set, each of backbones/networks some networks, or a family of a library's. Nothing is registered by hand, and no
name stands outside its declaration."""

import functools
import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, TypeVar

import yaml

from workflow.contracts import DataSet, Network, NetworkFamily, Task
from workflow.core.errors import UserError

PROJECT = Path(__file__).parents[1]
PRETRAIN = "pretrain"  # the task that makes what all others start from
Declaration = TypeVar("Declaration", Task, DataSet, Network)


@functools.cache
def tasks() -> dict[str, Task]:
    """All tasks by name.

    Raises:
        ValueError: if two rooms declare one name.
    """
    rooms = sorted(file.parent.name for file in PROJECT.glob("*/task.py"))
    return _by_name([task for room in rooms for task in importlib.import_module(f"{room}.task").TASKS])


@functools.cache
def datasets() -> dict[str, DataSet]:
    """All data sets by name of their layout.

    Raises:
        ValueError: if two files declare one name.
    """
    files = sorted(file.stem for file in (PROJECT / "workflow/data/sets").glob("[a-z]*.py"))
    return _by_name([importlib.import_module(f"workflow.data.sets.{file}").DATASET for file in files])


@functools.cache
def networks() -> dict[str, Network]:
    """The networks that are declared each, by name; `network` knows those of families too.

    Raises:
        ValueError: if two files declare one name.
    """
    return _by_name([network for file in _network_files() for network in getattr(file, "NETWORKS", ())])


@functools.cache
def network_families() -> tuple[NetworkFamily, ...]:
    """The families of networks."""
    return tuple(file.FAMILY for file in _network_files() if hasattr(file, "FAMILY"))


@functools.cache
def network(name: str) -> Network:
    """The declaration of a network: of its own, or described by its family, which imports torch.

    Raises:
        UserError: if there is no such network, or it has not what a backbone needs.
    """
    if name in networks():
        return networks()[name]
    for family in network_families():
        if name.startswith(family.prefix):
            module, _, function = family.describe.partition(":")
            described: Network = getattr(importlib.import_module(module), function)(name)
            return described
    raise UserError(f"there is no network {name} (known: {', '.join(network_names())})")


def network_names() -> list[str]:
    """The names of networks, for people: each declared one, and what names those of a family."""
    return [*networks(), *(f"{family.prefix}{family.title}" for family in network_families())]


def _network_files() -> list[ModuleType]:
    files = sorted(file.stem for file in (PROJECT / "backbones/networks").glob("[a-z]*.py"))
    return [importlib.import_module(f"backbones.networks.{file}") for file in files]


@functools.cache
def task_schemas() -> dict[str, Any]:
    """The schema of each task's section of a config, from the `schema.yaml` of its room."""
    rooms = {task.room: _yaml(task.room / "schema.yaml") for task in tasks().values()}
    return {name: rooms[task.room][name] for name, task in tasks().items()}


@functools.cache
def dataset_schemas() -> dict[str, Any]:
    """The schema of the section of each layout, from `<layout>.yaml` next to its declaration."""
    return {name: _yaml(PROJECT / f"workflow/data/sets/{name}.yaml") for name in datasets()}


def transfer_tasks() -> dict[str, Task]:
    """The tasks that a config may list under `tasks`: all but pretraining."""
    return {name: task for name, task in tasks().items() if name != PRETRAIN}


def room_rules() -> list[str]:
    """The files of rules that rooms bring, for what their runs share."""
    return sorted({str(task.room / "rules.smk") for task in tasks().values() if (task.room / "rules.smk").is_file()})


def type_name(instance: str, section: Mapping[str, Any]) -> str:
    """The name of the type of a task instance: its key `task`, or the instance's own name."""
    return section.get("task", instance)


def task_of(config: Mapping[str, Any], instance: str) -> Task:
    """The declaration of a task instance of a checked config (`pretrain` or a key of `tasks`)."""
    if instance == PRETRAIN:
        return tasks()[PRETRAIN]
    section = config["tasks"][instance]
    task = tasks()[type_name(instance, section)]
    return task.instance(task, section)


def network_name(config: Mapping[str, Any], row: str) -> str:
    """The name of the network of a row: its key `network`, or that of all rows that have none."""
    return config["backbones"][row].get("network", config[PRETRAIN]["network"])


def network_of(config: Mapping[str, Any], row: str) -> Network:
    """The declaration of the network of a row of a checked config."""
    return network(network_name(config, row))


def data_name(config: Mapping[str, Any], instance: str) -> str:
    """The name of the data set of a task instance: its key `data`, or the task's own."""
    section = config["pretrain"] if instance == PRETRAIN else config["tasks"][instance]
    return section.get("data", task_of(config, instance).dataset)


def layout_of(config: Mapping[str, Any], name: str) -> DataSet:
    """The declaration of a data set of a checked config."""
    return datasets()[config["data"][name].get("layout", name)]


def parts_of(config: Mapping[str, Any], instance: str) -> tuple[tuple[str, ...], str]:
    """Which counts of its data set's check are the training images of a task instance (none if it needs none), and
    which its test images."""
    task = task_of(config, instance)
    labelled = layout_of(config, data_name(config, instance)).labelled if task.labelled else None
    if not labelled:
        return task.train_parts, task.test_part
    return (labelled.train,) if task.train_parts else (), labelled.test


def _yaml(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def _by_name(found: list[Declaration]) -> dict[str, Declaration]:
    names = [each.name for each in found]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{name} is declared twice")
    return dict(zip(names, found, strict=True))
