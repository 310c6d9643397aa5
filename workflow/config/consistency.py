"""What is wrong with a config that fits the schema: keys that contradict each other, data or files that are missing."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from workflow import registry
from workflow.config import regularizers, rows
from workflow.config.library_weights import is_name, library_weights
from workflow.config.schema import dotted
from workflow.config.yaml_loader import format_value
from workflow.contracts import Network
from workflow.core.errors import UserError
from workflow.core.files import RECORD
from workflow.registry import PRETRAIN

TAKEN = ("backbones", "data", "features", "vocabularies", "bench")  # folders of results/ that are no experiment
NO_COLUMNS = (PRETRAIN, "report", "tracking")  # other columns and folders have these names
LARGEST = 2**53  # what is counted in floats somewhere must be whole there


def faults_of_sense(config: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a config that fits the schema."""
    yield from infinite(config, [])
    if config["experiment"] in TAKEN:
        yield f"experiment: results/{config['experiment']} holds something else; choose another name"
    for name in set(NO_COLUMNS) & config["tasks"].keys():
        yield f"tasks.{name}: the name is taken; choose another, and name the type with the key task"
    yield from record_faults(config.get("records", []))
    for task in (PRETRAIN, *config["tasks"]):
        yield from data_faults(task, config)
    for name, section in config["data"].items():
        yield from set_faults(f"data.{name}", section)
        yield from registry.layout_of(config, name).check_section(f"data.{name}", section)
    if unknown := dict.fromkeys(unknown_networks(config)):
        yield from unknown
        return
    for name, backbone in config["backbones"].items():
        yield from backbone_faults(f"backbones.{name}", backbone, config["pretrain"])
        yield from network_faults(config, name)
        yield from checkpoint_faults(config, name)
    yield from rows.baseline_faults(config)
    yield from recipe_faults(PRETRAIN, config["pretrain"])
    for name, recipe in config["tasks"].items():
        yield from recipe_faults(f"tasks.{name}", recipe)
        yield from registry.task_of(config, name).check(f"tasks.{name}", recipe, config)
        yield from entry_faults(config, name, recipe)
    yield from dict.fromkeys(share_faults(config))


def record_faults(folders: list[str]) -> Iterator[str]:
    """Folders of records that are not there, or have none."""
    for number, folder in enumerate(folders):
        if not Path(folder).is_dir():
            yield f"records[{number}]: no such folder: {folder}"
        elif set("{}") & set(folder):
            yield f"records[{number}]: Snakemake takes braces for wildcards: {folder}"
        elif not any(Path(folder).glob(f"*/*/*/{RECORD}")):
            yield f"records[{number}]: no record in {folder} (<task>/<backbone>/p0s0/{RECORD})"


def data_faults(task: str, config: dict[str, Any]) -> Iterator[str]:
    """The data set of a task is there, and of the layout that the task reads, or of labelled images if it reads any."""
    name, declared = registry.data_name(config, task), registry.task_of(config, task)
    path = task if task == PRETRAIN else f"tasks.{task}"
    if name not in config["data"]:
        yield f"data.{name}: missing data set ({path} needs it)"
        return
    layout = registry.layout_of(config, name)
    if not declared.labelled:
        if layout.name != declared.dataset:
            yield f"{path}.data: must be a data set with layout {declared.dataset}, not {name} (layout {layout.name})"
    elif not layout.labelled or (declared.train_parts and not layout.labelled.train):
        lacks = "training images" if layout.labelled else "classes of its images"
        fits = [each.name for each in registry.datasets().values()
                if each.labelled and (each.labelled.train or not declared.train_parts)]  # fmt: skip
        yield f"{path}.data: {name} (layout {layout.name}) has no {lacks}; layouts that have: {', '.join(fits)}"


def unknown_networks(config: dict[str, Any]) -> Iterator[str]:
    """Networks that a family has not, or that are no backbone."""
    for row in config["backbones"]:
        try:
            registry.network_of(config, row)
        except UserError as error:
            yield f"{rows.places(config, row)['network']}: {error}"


def set_faults(path: str, section: dict[str, Any]) -> Iterator[str]:
    """A data set has one origin."""
    if ("synthetic" in section) == ("root" in section):
        yield f"{path}: needs exactly one of synthetic and root"
    if "synthetic" in section and ("classes" in section["synthetic"]) == ("photos" in section["synthetic"]):
        yield f"{path}.synthetic: needs exactly one of classes and photos"
    for key in ("root", "source"):
        if section.get(key, "").startswith("~"):
            yield f"{path}.{key}: ~ does not become your home folder: write it out, not {format_value(section[key])}"
    if "source" in section and "root" not in section:
        yield f"{path}.source: only allowed together with 'root'"
    if "://" in section.get("source", "") and not section["source"].startswith(("http://", "https://")):
        yield f"{path}.source: must be a folder or an http(s) address, not {format_value(section['source'])}"


def share_faults(config: dict[str, Any]) -> Iterator[str]:
    """Batches that the GPUs of a job cannot share, and GPUs that its jobs cannot."""
    resources = config["resources"]
    share, taken = resources.get("jobs_per_gpu", 1), resources["gpus"]
    if share > 1 and taken > 1:
        yield f"resources.jobs_per_gpu: {share} jobs share one GPU, but each takes {taken}"
    recipes = [(PRETRAIN, rows.places(config, row), rows.recipe(config, row)) for row in config["backbones"]]
    trained = (name for name in config["tasks"] if registry.task_of(config, name).kind == "train")
    recipes += [(name, {"batch_size": f"tasks.{name}.batch_size"}, config["tasks"][name]) for name in trained]
    for task, places, recipe in recipes:
        batch, gpus = recipe.get("batch_size", 0), max(1, taken)
        if batch % gpus:
            yield f"{places['batch_size']}: {batch} is not a multiple of resources.gpus ({taken})"
        elif batch == gpus and registry.task_of(config, task).two_samples(recipe):
            yield f"{places['batch_size']}: {batch} leaves a process one sample, and batch norm needs two"


def infinite(value: object, path: list[str | int]) -> Iterator[str]:
    """Numbers that are none, as YAML knows .nan and .inf, and those that no float can hold."""
    if isinstance(value, float) and not math.isfinite(value):
        yield f"{dotted(path)}: must be a finite number, not {value}"
    if isinstance(value, int) and abs(value) > LARGEST:
        yield f"{dotted(path)}: must be at most {LARGEST}, not {format_value(value)}"
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in items:
        yield from infinite(below, [*path, key])


def backbone_faults(path: str, backbone: dict[str, Any], pretrain: dict[str, Any]) -> Iterator[str]:
    """A backbone has one origin: pretrained here, imported from a file, or random."""
    origin = next((key for key in ("checkpoint", "init") if key in backbone), None)
    if origin:
        for other in ("init", "regularizers", "pretrain"):
            if other in backbone and other != origin:
                yield f"{path}: {origin} and {other} cannot be combined"
    for key in ("preprocessing", "stride", "checkpoint_key"):
        if key in backbone and origin != "checkpoint":
            yield f"{path}.{key}: only allowed together with 'checkpoint'"
    if isinstance(backbone.get("preprocessing"), dict):
        yield from unit_faults(f"{path}.preprocessing", backbone["preprocessing"])
    mixing = [
        name
        for name, each in regularizers.declared().items()
        if each.mixes and name in backbone.get("regularizers", {})
    ]
    if len(mixing) > 1:
        yield f"{path}.regularizers: {' and '.join(mixing)} cannot be combined: each pairs every image with a partner"
    if "pretrain" in backbone:
        yield from recipe_faults(f"{path}.pretrain", {**pretrain, **backbone["pretrain"]})


def checkpoint_faults(config: dict[str, Any], row: str) -> Iterator[str]:
    """A file that is not there, or weights of a library that are of another network."""
    text, (network, its) = config["backbones"][row].get("checkpoint"), its_network(config, row)
    if text is None:
        return
    weights, path = library_weights(text), f"backbones.{row}.checkpoint"
    if weights and not is_name(weights):
        yield f"{path}: no name of weights: {text} (as in timm:convnext_tiny.fb_in22k_ft_in1k, torchvision:resnet50)"
    elif weights and (weights.library not in network.libraries or weights.network != network.library_name):
        known = weights.network if weights.network in registry.networks() else f"{weights.library}/{weights.network}"
        yield f"{path}: {text} is not a {its}: declare `network: {known}`"
    elif weights:
        return
    elif set("{}") & set(text):
        yield f"{path}: Snakemake takes braces for wildcards: {text}"
    elif not Path(text).is_file():
        what = "a folder (name the file of weights in it)" if Path(text).is_dir() else "no such file"
        yield f"{path}: {what}: {text}"


def its_network(config: dict[str, Any], row: str) -> tuple[Network, str]:
    """The network of a row, and it in words, with the key that names it."""
    network = registry.network_of(config, row)
    return network, f"{network.title} ({rows.places(config, row)['network']}: {network.name})"


def entry_faults(config: dict[str, Any], task: str, recipe: dict[str, Any]) -> Iterator[str]:
    """Rows whose network a task cannot take."""
    declared = registry.task_of(config, task)
    for row in config["backbones"]:
        network, its = its_network(config, row)
        if reason := declared.rejects(network, recipe):
            takes = [name for name, one in registry.networks().items() if not declared.rejects(one, recipe)]
            yield f"backbones.{row}: tasks.{task} cannot take a {its}: {reason}; it takes {' or '.join(takes)}"


def network_faults(config: dict[str, Any], row: str) -> Iterator[str]:
    """What the network of a row does not go with."""
    path, backbone, (network, its) = f"backbones.{row}", config["backbones"][row], its_network(config, row)
    if "network" in backbone.get("pretrain", {}):
        yield f"{path}.pretrain.network: the network of a row stands in {path}.network; move it there"
    if "data" in backbone.get("pretrain", {}):
        yield f"{path}.pretrain.data: all rows have the one of pretrain.data; leave the key out"
    if backbone.get("stride", network.strides[0]) not in network.strides:
        where = f"where the blocks of a {its} have theirs"
        yield f"{path}.stride: must be {' or '.join(network.strides)}, {where}, not {backbone['stride']}"
    declared, stages = regularizers.declared(), ["input", *(stage.name for stage in network.stages if network.layout)]
    for name, given in backbone.get("regularizers", {}).items():
        if declared[name].residual and not network.blocks:
            yield f"{path}.regularizers.{name}: acts in residual blocks, and a {its} has none"
        elif declared[name].masks and not network.maskable:
            where = "on batch-normalized convolutions and skip connections of residual blocks"
            yield f"{path}.regularizers.{name}: acts {where}, and the blocks of a {its} have others"
        layers = [key for key, kind in declared[name].parameters.items() if kind == "layers"]
        for layer in (layer for key in layers for layer in given[key] if layer not in stages):
            yield f"{path}.regularizers.{name}.layers: a {its} has {', '.join(stages)}, not {format_value(layer)}"


def unit_faults(path: str, declared: dict[str, Any]) -> Iterator[str]:
    """Mean and std of pixels of 0 to 1 where those of 0 to 255 are meant. (A std of 1 with large means is Caffe's, with
    means of 0 it leaves the pixels as they are.)"""
    untouched = set(declared["mean"]) == {0} and set(declared["std"]) == {1}
    if not untouched and all(abs(value) < 2 for value in declared["mean"] + declared["std"]):
        scaled = {key: [round(255 * value, 3) for value in declared[key]] for key in ("mean", "std")}
        hint = f"mean: {scaled['mean']}, std: {scaled['std']}"
        yield f"{path}: mean and std are in units of 0 to 1, but pixels go from 0 to 255: write {hint}"


def recipe_faults(path: str, recipe: dict[str, Any]) -> Iterator[str]:
    """Schedules that go beyond their end, sizes that do not fit into each other."""
    if "epochs" in recipe or "iterations" in recipe:
        yield from schedule_faults(path, recipe)
    if "mean" in recipe:
        yield from unit_faults(path, recipe)
    if recipe.get("crop_padding") and set(recipe["crop_scale"]) != {1}:
        yield f"{path}.crop_scale: must be [1.0, 1.0] where crop_padding is above 0: that crop scales nothing"
    for small, large in (("crop_size", "val_resize_size"), ("crop_size", "resize_size"), ("min_size", "max_size")):
        if small in recipe and large in recipe and recipe[small] > recipe[large]:
            yield f"{path}.{small}: {recipe[small]} is larger than {large} ({recipe[large]})"


def schedule_faults(path: str, recipe: dict[str, Any]) -> Iterator[str]:
    """Steps and warm-up end before the training does."""
    unit = "epochs" if "epochs" in recipe else "iterations"
    end, steps = recipe[unit], recipe.get("milestones", [])
    if steps != sorted(set(steps)):
        yield f"{path}.milestones: must rise, not {format_value(steps)}"
    elif steps and steps[-1] >= end:
        yield f"{path}.milestones: {steps[-1]} is not before the end ({end} {unit})"
    if unit == "iterations" and recipe.get("warmup_iters", 0) >= end:
        yield f"{path}.warmup_iters: {recipe['warmup_iters']} is not before the end ({end} {unit})"
