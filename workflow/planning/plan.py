"""From a config to the runs that it asks for: their paths, keys, states and what each command is told.

A key or a state is a hash of what a result depends on and of nothing else: threads, workers, GPUs and the experiment's
name stay out, so another experiment reuses the same backbone. No torch: planning must be quick.
"""

import functools
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workflow import registry
from workflow.contracts import DataSet
from workflow.core.errors import UserError
from workflow.core.files import listing, sha256, short
from workflow.data.fetch.fetch import fetch_count
from workflow.planning.planned_run import MACHINE, PlannedRun
from workflow.planning.report_files import ReportFiles

BRIEF = 60  # minutes, of a job that neither trains nor computes anything large
PLACES = {"train": "p{p}s{s}", "evaluate": "p{p}"}  # of a task's record, below its backbone
MODULES = {  # that make a backbone
    "pretrained": "pretrain.train",
    "brought": "pretrain.import_backbone",
    "random": "pretrain.random_backbone",
}
SCORE = (
    "network",
    "crop_size",
    "val_resize_size",
    "batch_size",
    "precision",
)  # of pretraining, by which a brought backbone is scored


@dataclass(frozen=True)
class Plan(ReportFiles):
    """All that a config asks for. `tasks` are the instances of transfer tasks; `runs` has the backbones' runs first,
    `artifacts` the jobs that make from a backbone what runs share; `origins` says from where data sets are fetched, and
    stands apart from `config` because no result depends on it."""

    experiment: str
    config: dict[str, Any]
    backbones: list[str]
    tasks: list[str]
    runs: list[PlannedRun]
    artifacts: list[PlannedRun]
    checks: dict[str, str]
    origins: dict[str, str]

    @property
    def resources(self) -> dict[str, int]:
        """The section `resources` of the config: what a job takes of a machine."""
        return self.config["resources"]

    @property
    def cores(self) -> int:
        """What a process of a training job takes of Snakemake's --cores."""
        return self.resources["cpu_threads"] + self.resources["num_workers"]

    @property
    def minutes(self) -> int:
        """What a batch system gives a training, features, and the scoring of a brought file."""
        return self.resources["job_minutes"]

    @property
    def brief(self) -> int:
        """Minutes of all other jobs."""
        return min(BRIEF, self.minutes)

    def memory(self, run: PlannedRun) -> int:
        """MB of main memory that a run's job asks for: of each of its processes, and of each worker of these."""
        task = registry.task_of(self.config, run.task)
        process = 1000 * self.resources["job_memory_gb"] * task.memory_factor
        extra = 0 if run.artifact else task.extra_memory_mb
        return (process + 1000 * run.run["workers"]) * max(1, run.gpus) + extra

    @property
    def text(self) -> str:
        """The config as JSON, for the report."""
        return json.dumps(self.config)

    @property
    def tracked(self) -> str:
        """What of it Snakemake is to compare."""
        return json.dumps({key: value for key, value in self.config.items() if key != "resources"})

    def section(self, name: str, *keys: str) -> str:
        """The section of a data set, or what stands in it under `keys`, as JSON."""
        return json.dumps(functools.reduce(lambda value, key: value[key], keys, self.config["data"][name]))

    def made(self, name: str) -> list[str]:
        """The folder of a data set that is made here; empty for one that is there already."""
        return [self.root(name)] if "synthetic" in self.config["data"][name] else []

    def layout(self, name: str) -> DataSet:
        """The declaration of a data set."""
        return registry.layout_of(self.config, name)

    def root(self, name: str) -> str:
        """The folder of a data set."""
        return root(self.config, name)

    @property
    def fetched(self) -> dict[str, str]:
        """Data set -> the record of its fetching, for those that have a root."""
        rooted = {name: check for name, check in self.checks.items() if not self.made(name)}
        return {name: f"{check.removesuffix('.json')}.fetched.json" for name, check in rooted.items()}

    def checked(self, fetched: Callable[..., Any]) -> list[str]:
        """The checks of all sets, once `fetched` does not object: the checkpoint keeps the two in order."""
        for name in self.fetched:
            fetched(set=name, key=section_key(self.config, name).removeprefix(f"{name}-"))
        return list(self.checks.values())

    def fetching(self, name: str) -> str:
        """The section of a data set as the command that fetches it gets it: with `source`."""
        origin = {"source": self.origins[name]} if name in self.origins else {}
        return json.dumps(self.config["data"][name] | origin)

    def asked(self, name: str) -> int:
        """How many times the data set was fetched; one more, and so a reason to fetch it, if something is missing."""
        return fetch_count(
            self.layout(name).name, self.config["data"][name], Path(self.root(name)), Path(self.fetched[name])
        )

    @property
    def gate(self) -> list[tuple[str, str]]:
        """The checks that training waits for, each with a name that is the same for every config; at least three, so
        that a config with fewer sets, which repeat then, runs nothing of others again."""
        checks = list(self.checks.values())
        return [(f"data check {n}", checks[n % len(checks)]) for n in range(max(3, len(checks)))]

    @property
    def pretraining_check(self) -> str:
        """The check of the data that backbones are pretrained on."""
        return self.checks[registry.data_name(self.config, registry.PRETRAIN)]

    @property
    def rooms(self) -> list[tuple[str, str, str]]:
        """For the rules of tasks: each room with a kind of its tasks, and a pattern of their planned instances."""
        kinds = dict.fromkeys((task.folder, task.kind) for task in registry.transfer_tasks().values())
        named = {pair: [n for n, task in self.declared.items() if (task.folder, task.kind) == pair] for pair in kinds}
        return [(*pair, pattern(names)) for pair, names in named.items()]

    def runtime(self, run: PlannedRun) -> int:
        """Minutes of a backbone's job: to make a random one is brief."""
        return self.brief if run.origin == "random" else self.minutes

    def named(self, *origins: str) -> str:
        """A pattern that matches the names of the backbones of these origins, for a wildcard."""
        return pattern({run.backbone for run in self.runs if run.origin in origins})

    def find(self, wildcards: Any) -> PlannedRun:
        """The run that a rule's wildcards name; UserError if nothing of the kind is planned."""
        task, s = wildcards.get("task", registry.PRETRAIN), wildcards.get("s")
        try:
            return self._index[task, wildcards.backbone, int(wildcards.p), None if s is None else int(s)]
        except KeyError:
            raise UserError(f"this config has no {task} of {wildcards.backbone} with these seeds") from None

    @functools.cached_property
    def _index(self) -> dict[tuple[str, str, int, int | None], PlannedRun]:
        return {(run.task, run.backbone, run.seeds["pretrain"], run.seeds.get("transfer")): run for run in self.runs}

    def making(self, folder: str) -> PlannedRun:
        """The job that makes a shared folder of a backbone; of the data, any run that reads it. UserError if none is
        planned."""
        try:
            return self._makers[folder]
        except KeyError:
            raise UserError(f"no run of this config needs {folder}") from None

    @functools.cached_property
    def _makers(self) -> dict[str, PlannedRun]:
        readers = {folder: run for run in reversed(self.runs) for folder in run.shared.values()}
        return readers | {run.artifact: run for run in self.artifacts}


def plan(config: dict[str, Any]) -> Plan:
    """All runs of a checked config; UserError if a brought file cannot be read."""
    origins = {name: section["source"] for name, section in config["data"].items() if "source" in section}
    without = {name: {k: v for k, v in section.items() if k != "source"} for name, section in config["data"].items()}
    config = config | {"data": without}
    tasks = list(config["tasks"])
    names = [registry.data_name(config, task) for task in (registry.PRETRAIN, *tasks)]
    needed = {name: section_key(config, name) for name in names}
    backbones = [run for name in config["backbones"] for run in backbone_runs(config, name)]
    transfers = [run for task in tasks for start in backbones for run in transfer_runs(config, task, start)]
    artifacts = {made.artifact: made for run in transfers for made in artifact_runs(config, run)}
    return Plan(
        experiment=config["experiment"],
        config=config,
        backbones=list(config["backbones"]),
        tasks=tasks,
        runs=backbones + transfers,
        artifacts=list(artifacts.values()),
        checks={name: f"results/data/{key}.json" for name, key in needed.items()},
        origins=origins,
    )


def pattern(names: Iterable[str]) -> str:
    """A pattern that matches these names and nothing else, for a wildcard."""
    return "|".join(sorted(name.replace(".", r"\.") for name in names)) or "(?!)"


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
    """One run per pretraining seed; a brought file is what it is, so it has one, under the first seed."""
    origin, recipe, made_of = backbone_recipe(config, name)
    gpus = {"brought": min(config["resources"]["gpus"], 1), "random": 0}.get(origin, config["resources"]["gpus"])
    key = short(made_of)
    for seed in config["seeds"]["pretrain"][: 1 if origin == "brought" else None]:
        folder = f"results/backbones/{name}-{key}/seed{seed}"
        yield PlannedRun(
            task="pretrain",
            backbone=name,
            origin=origin,
            seeds={"pretrain": seed},
            record=f"{folder}/metrics.json",
            module=MODULES[origin],
            state=f".work/{short(['pretrain', key, seed])}",
            run=run_spec(config, "pretrain", name, recipe, {"pretrain": seed}) | {"gpus": gpus},
            check=f"results/data/{section_key(config, registry.data_name(config, 'pretrain'))}.json",
            weights=f"{folder}/backbone.safetensors",
        )


def backbone_recipe(config: dict[str, Any], name: str) -> tuple[str, dict[str, Any], Any]:
    """(origin, the recipe that its command gets, what its key is the hash of)."""
    backbone, pretrain = config["backbones"][name], without_data(config["pretrain"])
    data = config["data"][registry.data_name(config, registry.PRETRAIN)]
    if "checkpoint" in backbone:
        prepare, stride = backbone.get("preprocessing", "imagenet"), backbone.get("stride", "3x3")
        wanted = backbone.get("checkpoint_key")  # None: an average if the file has one
        try:
            content = sha256(backbone["checkpoint"])
        except OSError as error:
            raise UserError(f"backbones.{name}.checkpoint: {backbone['checkpoint']}: {error.strerror}") from None
        declared = {"preprocessing": prepare, "stride": stride, "checkpoint_key": wanted}
        scored = {key: pretrain[key] for key in SCORE}
        recipe = {"checkpoint": backbone["checkpoint"], "sha256": content, **declared, **scored}
        return "brought", recipe, ["brought", content, declared | {"checkpoint_key": wanted or "ema"}, scored, data]
    if "init" in backbone:
        recipe = {
            "init": backbone["init"],
            **{key: pretrain[key] for key in ("network", "crop_size", "val_resize_size")},
        }
        return "random", recipe, ["random", recipe, data]  # the data give the statistics and the number of classes
    recipe = {**pretrain, **backbone.get("pretrain", {}), "regularizers": backbone.get("regularizers", {})}
    return "pretrained", recipe, ["pretrained", recipe, data]


def without_data(section: dict[str, Any]) -> dict[str, Any]:
    """The recipe of a section: the data stand apart from it."""
    return {key: value for key, value in section.items() if key != "data"}


def transfer_runs(config: dict[str, Any], task: str, start: PlannedRun) -> Iterator[PlannedRun]:
    """One run per transfer seed, from one published backbone; one in all where nothing is trained."""
    declared, recipe = registry.task_of(config, task), without_data(config["tasks"][task])
    data, p = section_key(config, registry.data_name(config, task)), start.seeds["pretrain"]
    shared = {one.name: one.folder(recipe, data, start.weights) for one in declared.shared}
    gpus = {} if declared.kind == "train" else {"gpus": min(config["resources"]["gpus"], 1)}
    for s in config["seeds"]["transfer"] if declared.kind == "train" else [None]:
        seeds = {"pretrain": p} if s is None else {"pretrain": p, "transfer": s}
        place = PLACES[declared.kind].format(p=p, s=s)
        yield PlannedRun(
            task=task,
            backbone=start.backbone,
            origin=start.origin,
            seeds=seeds,
            record=f"results/{config['experiment']}/{task}/{start.backbone}/{place}/metrics.json",
            module=declared.module,
            state=f".work/{short([task, recipe, data, start.weights, s])}",
            run=run_spec(config, task, start.backbone, recipe, seeds) | gpus,
            check=f"results/data/{data}.json",
            weights=start.weights,
            shared={name: folder for name, folder in shared.items() if folder},
            from_backbone=tuple(one.name for one in declared.shared if one.per_backbone),
        )


def artifact_runs(config: dict[str, Any], run: PlannedRun) -> Iterator[PlannedRun]:
    """The jobs that make what a run shares with others of its backbone: their recipe is what the folder depends on."""
    for one in registry.task_of(config, run.task).shared:
        if one.per_backbone and one.name in run.shared:
            recipe = {key: run.run["recipe"][key] for key in one.keys}
            seeds = {"pretrain": run.seeds["pretrain"]}
            # The type, as several instances share the folder; one GPU, as loading takes the time.
            less = {"task": registry.task_of(config, run.task).name, "recipe": recipe, "seeds": seeds}
            spec, artifact = run.run | less | {"gpus": min(run.gpus, 1)}, run.shared[one.name]
            yield replace(run, seeds=seeds, module=one.module, state="", run=spec, shared={}, artifact=artifact)
