"""The runs of a config: their keys, states and recipes, and what each command gets.

A key or a state is a hash of what a result depends on and of nothing else: threads, workers, GPUs and the experiment's
name stay out, so another experiment reuses the same backbone.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from workflow import registry
from workflow.config import rows
from workflow.config.library_weights import library_weights
from workflow.core.errors import UserError
from workflow.core.files import listing, sha256, short
from workflow.planning.planned_run import MACHINE, PlannedRun

PLACES = {"train": "p{p}s{s}", "evaluate": "p{p}"}  # of a task's record, below its backbone
SUBCOMMANDS = {"pretrained": "train", "imported": "import_backbone", "random": "random_backbone"}  # of pretrain
IMAGENET = "imagenet"  # RGB, with ImageNet's mean and std
SIZES = ("network", "crop_size", "val_resize_size")
DRAWN = (*SIZES, "mean", "std")  # of pretraining, that a random backbone is made by
SCORE = (*SIZES, "batch_size", "precision")  # of it, by which an imported backbone is scored


def section_key(config: dict[str, Any], name: str) -> str:
    """`<set>-<hash of its section and of the photos in it>`: names the made data and the check."""
    section = config["data"][name]
    photos = section.get("synthetic", {}).get("photos")
    return f"{name}-{short([section, listing(photos)] if photos else section)}"


def root(config: dict[str, Any], name: str) -> str:
    """Where a data set lies: the root of the config, or where the synthetic one is made."""
    return config["data"][name].get("root", f"results/data/{section_key(config, name)}")


def run_spec(
    config: dict[str, Any], task: str, backbone: str, recipe: dict[str, Any], seeds: dict[str, int]
) -> dict[str, Any]:
    """The --run-spec of a command: the data section with its root filled in, the recipe, the machine."""
    name = registry.data_name(config, task)
    section = config["data"][name] | {"root": root(config, name)}
    machine = {key: config["resources"][name] for key, name in MACHINE.items()}
    return {"task": task, "backbone": backbone, "seeds": seeds, "recipe": recipe, "data": section, **machine}


def backbone_runs(config: dict[str, Any], name: str) -> Iterator[PlannedRun]:
    """One run per pretraining seed; an imported file is what it is, so it has one, under the first seed."""
    origin, recipe, made_of = backbone_recipe(config, name)
    gpus = {"imported": min(config["resources"]["gpus"], 1), "random": 0}.get(origin, config["resources"]["gpus"])
    key = short(made_of)
    for seed in config["seeds"]["pretrain"][: 1 if origin == "imported" else None]:
        folder = f"results/backbones/{name}-{key}/seed{seed}"
        yield PlannedRun(
            task="pretrain",
            backbone=name,
            origin=origin,
            seeds={"pretrain": seed},
            record=f"{folder}/metrics.json",
            room="pretrain",
            subcommand=SUBCOMMANDS[origin],
            state=f".work/{short(['pretrain', key, seed])}",
            run=run_spec(config, "pretrain", name, recipe, {"pretrain": seed}) | {"gpus": gpus},
            check=f"results/data/{section_key(config, registry.data_name(config, 'pretrain'))}.json",
            weights=f"{folder}/backbone.safetensors",
        )


def backbone_recipe(config: dict[str, Any], name: str) -> tuple[str, dict[str, Any], Any]:
    """(origin, the recipe that its command gets, what its key is the hash of)."""
    backbone, pretrain = config["backbones"][name], without_data(rows.recipe(config, name))
    data = config["data"][registry.data_name(config, registry.PRETRAIN)]
    origin = rows.origin(backbone)
    if origin == "imported":
        file, prepare = checkpoint_file(f"backbones.{name}.checkpoint", backbone["checkpoint"])
        prepare, stride = backbone.get("preprocessing", prepare), backbone.get("stride", "3x3")
        wanted = backbone.get("checkpoint_key")  # None: an average if the file has one
        declared = {"preprocessing": prepare, "stride": stride, "checkpoint_key": wanted}
        scored = {key: pretrain[key] for key in SCORE}
        recipe = {**file, **declared, **scored}
        return origin, recipe, [origin, file["sha256"], declared | {"checkpoint_key": wanted or "ema"}, scored, data]
    if origin == "random":
        recipe = {"init": backbone["init"]} | {key: pretrain[key] for key in DRAWN}
        return origin, recipe, [origin, recipe, data]  # the data give the statistics and the number of classes
    recipe = pretrain | {"regularizers": backbone.get("regularizers", {})}
    return origin, recipe, [origin, recipe, data]


def checkpoint_file(path: str, checkpoint: str) -> tuple[dict[str, str], Any]:
    """(the file that a row imports, as its recipe has it, its preprocessing unless that is declared). Of weights of a
    library that are not fetched yet there is no file, and their hash is empty."""
    weights = library_weights(checkpoint)
    note = weights.fetched() if weights else {}
    if weights and not note:
        return {"checkpoint": str(weights.folder), "sha256": ""}, IMAGENET
    file = str(weights.folder / note["file"]) if weights else checkpoint
    try:
        content = sha256(file)
    except OSError as error:
        raise UserError(f"{path}: {file}: {error.strerror}") from None
    if weights and content != note["sha256"]:
        raise UserError(f"{path}: {file} is not what was fetched: remove {weights.folder}, and fetch it again")
    source = {"source": note["weights"]} if weights else {}
    return {"checkpoint": file, "sha256": content, **source}, note.get("preprocessing", IMAGENET)


def without_data(section: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a section: the data stand apart from it."""
    return {key: value for key, value in section.items() if key != "data"}


def transfer_runs(config: dict[str, Any], task: str, start: PlannedRun) -> Iterator[PlannedRun]:
    """One run per transfer seed, from one published backbone; one in all where nothing is trained."""
    declared, recipe = registry.task_of(config, task), without_data(config["tasks"][task])
    data, p = section_key(config, registry.data_name(config, task)), start.seeds["pretrain"]
    shared = {one.name: one.folder(recipe, data, start.weights) for one in declared.shared}
    gpus = {} if declared.kind == "train" else {"gpus": min(config["resources"]["gpus"], 1)}
    in_distribution = [start.check] if declared.in_distribution else []
    for s in config["seeds"]["transfer"] if declared.kind == "train" else [None]:
        seeds = {"pretrain": p} if s is None else {"pretrain": p, "transfer": s}
        place = PLACES[declared.kind].format(p=p, s=s)
        yield PlannedRun(
            task=task,
            backbone=start.backbone,
            origin=start.origin,
            seeds=seeds,
            record=f"results/{config['experiment']}/{task}/{start.backbone}/{place}/metrics.json",
            room=declared.folder,
            subcommand=declared.kind,
            state=f".work/{short([task, recipe, data, start.weights, s, *in_distribution])}",
            run=run_spec(config, task, start.backbone, recipe, seeds) | gpus,
            check=f"results/data/{data}.json",
            in_distribution="".join(in_distribution),
            weights=start.weights,
            shared={name: folder for name, folder in shared.items() if folder},
            from_backbone=tuple(one.name for one in declared.shared if one.per_backbone),
            keep_network=declared.kind == "train" and config["resources"].get("keep_networks", False),
        )


def artifact_runs(config: dict[str, Any], run: PlannedRun) -> Iterator[PlannedRun]:
    """The jobs that make what a run shares with others of its backbone: their recipe is what the folder depends on."""
    for one in registry.task_of(config, run.task).shared:
        if one.per_backbone and one.name in run.shared:
            recipe = {key: run.run["recipe"][key] for key in one.keys}
            seeds = {"pretrain": run.seeds["pretrain"]}
            # Its own name, as tasks of several types share the folder; one GPU, as loading takes the time.
            less = {"task": one.name, "recipe": recipe, "seeds": seeds}
            spec, artifact = run.run | less | {"gpus": min(run.gpus, 1)}, run.shared[one.name]
            made = replace(run, seeds=seeds, subcommand=one.name, state="", run=spec, shared={}, artifact=artifact)
            yield replace(made, keep_network=False)
