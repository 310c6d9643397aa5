"""From a config to the runs that it asks for: their paths, keys, states and what each door is told.

A key or a state is a hash of what a result depends on and of nothing else: threads, workers, GPUs and the experiment's
name stay out, so another experiment reuses the same backbone. No torch: planning must be quick.
"""

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.config import NEEDS
from workflow.data.fetch import times
from workflow.reasons import due, fingerprint, settled, unless
from workflow.reported import Reported
from workflow.training.errors import UserError
from workflow.training.files import listing, sha256, short

MACHINE = ("threads", "workers", "gpus")  # where a result is computed, not what it is
JOB = ("minutes", "memory")  # what a batch system is told beside these
BRIEF = 60  # minutes, of a job that neither trains nor computes anything large
SCORE = ("size", "resize", "batch", "precision")  # what of the pretraining recipe a brought backbone is scored by
VIEWS = ("resize", "crop", "views", "precision")  # what of a captioning recipe the features depend on


@dataclass(frozen=True)
class PlannedRun:
    """One job of the DAG that leaves a record (or, for `features`, a folder that runs share).

    `origin` says where the backbone comes from: pretrained, brought or random. `record` is the path of metrics.json,
    `state` the folder of the resume state, `run` what the door gets as --run, `check` the result of the data check,
    `weights` the published backbone; of captioning alone, `features` is the folder of cached features, `vocabulary` the
    one of words and encoded captions.
    """

    task: str
    backbone: str
    origin: str
    seeds: dict[str, int]
    record: str
    state: str
    run: dict[str, Any]
    check: str
    weights: str
    features: str = ""
    vocabulary: str = ""

    @property
    def json(self) -> str:
        """The text of --run."""
        return json.dumps(self.run)

    def start(self, ancient: Callable[[str], str]) -> str:
        """The backbone as an input. What is brought or random follows from its path: made anew it changes nothing."""
        return self.weights if self.origin == "pretrained" else self.settled(ancient)(self.weights)

    def settled(self, ancient: Callable[[str], str]) -> Callable[[str], str]:
        """For an input that is no reason to run the job again."""
        return unless(due(self), ancient) if self.state else settled(ancient, self.features)

    @property
    def gpus(self) -> int:
        """How many devices the job takes."""
        return self.run["gpus"]

    @property
    def cores(self) -> int:
        """What it takes of Snakemake's --cores: threads and workers of each of its processes."""
        return (self.run["threads"] + self.run["workers"]) * max(1, self.gpus)

    @property
    def compared(self) -> dict[str, Any]:
        """What the result depends on beside the data's content: not the machine."""
        return {key: value for key, value in self.run.items() if key not in MACHINE}

    @property
    def tracked(self) -> str:
        """What Snakemake is to compare: all that the result depends on."""
        return json.dumps(self.compared | {"fingerprint": fingerprint(self, "" if self.state else self.features)})


@dataclass(frozen=True)
class Plan(Reported):
    """All that a config asks for. `tasks` are the transfer tasks; `runs` has the backbones' runs first; `origins` says
    from where data sets are fetched, and stands apart from `config` because no result depends on it."""

    experiment: str
    config: dict[str, Any]
    backbones: list[str]
    tasks: list[str]
    runs: list[PlannedRun]
    features: list[PlannedRun]
    checks: dict[str, str]
    origins: dict[str, str]

    @property
    def cores(self) -> int:
        """What a process of a training job takes of Snakemake's --cores."""
        return self.config["threads"] + self.config["workers"]

    @property
    def minutes(self) -> int:
        """What a batch system gives a training, features, and the scoring of a brought file."""
        return self.config["minutes"]

    @property
    def brief(self) -> int:
        """Minutes of all other jobs."""
        return min(BRIEF, self.minutes)

    def memory(self, run: PlannedRun) -> int:
        """MB of main memory that a run's job asks for: of each of its processes, and of each worker of these."""
        process = 1000 * self.config["memory"] * (3 if run.task == "faster_rcnn_coco" else 1)  # large annotations
        # METEOR's JVM stands beside the training: up to 2 GB of heap (-Xmx2G), and what it needs itself. Features: none
        java = 2500 if run.task == "nic_coco" and run.state else 0
        return (process + 1000 * run.run["workers"]) * max(1, run.gpus) + java

    @property
    def text(self) -> str:
        """The config as JSON, for the report."""
        return json.dumps(self.config)

    @property
    def tracked(self) -> str:
        """What of it Snakemake is to compare."""
        return json.dumps({key: value for key, value in self.config.items() if key not in MACHINE + JOB})

    def section(self, name: str, *keys: str) -> str:
        """The section of a data set, or what stands in it under `keys`, as JSON."""
        return json.dumps(functools.reduce(lambda value, key: value[key], keys, self.config["data"][name]))

    def made(self, name: str) -> list[str]:
        """The folder of a data set that is made here; empty for one that is there already."""
        return [self.root(name)] if "synthetic" in self.config["data"][name] else []

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
        """The section of a data set as the door that fetches it gets it: with `from`."""
        origin = {"from": self.origins[name]} if name in self.origins else {}
        return json.dumps(self.config["data"][name] | origin)

    def asked(self, name: str) -> int:
        """How many times the data set was fetched; one more, and so a reason to fetch it, if something is missing."""
        return times(name, self.config["data"][name], Path(self.root(name)), Path(self.fetched[name]))

    @property
    def gate(self) -> list[tuple[str, str]]:
        """The checks that training waits for, each with a name that is the same for every config; always three."""
        checks = list(self.checks.values())
        return [(f"data check {n}", checks[n % len(checks)]) for n in range(3)]

    def named(self, *origins: str) -> str:
        """A pattern that matches the names of the backbones of these origins, for a wildcard."""
        names = {run.backbone for run in self.runs if run.origin in origins}
        return "|".join(sorted(name.replace(".", r"\.") for name in names)) or "(?!)"

    def find(self, wildcards: Any, task: str | None = None) -> PlannedRun:
        """The run that a rule's wildcards name; UserError if nothing of the kind is planned."""
        task, s = task or wildcards.get("task", "pretrain"), wildcards.get("s")
        try:
            return self._index[task, wildcards.backbone, int(wildcards.p), None if s is None else int(s)]
        except KeyError:
            raise UserError(f"this config has no {task} of {wildcards.backbone} with these seeds") from None

    @functools.cached_property
    def _index(self) -> dict[tuple, PlannedRun]:
        runs = {(run.task, run.backbone, run.seeds["pretrain"], run.seeds.get("transfer")): run for run in self.runs}
        return runs | {("features", run.backbone, run.seeds["pretrain"], None): run for run in self.features}


def plan(config: dict[str, Any]) -> Plan:
    """All runs of a checked config; UserError if a brought file cannot be read."""
    origins = {name: section["from"] for name, section in config["data"].items() if "from" in section}
    without = {name: {k: v for k, v in section.items() if k != "from"} for name, section in config["data"].items()}
    config = config | {"data": without}
    tasks = list(config["tasks"])
    needed = {name: section_key(config, name) for name in ["imagenet", *(NEEDS[task] for task in tasks)]}
    backbones = [run for name in config["backbones"] for run in backbone_runs(config, name)]
    transfers = [run for task in tasks for start in backbones for run in transfer_runs(config, task, start)]
    features = {run.features: run for run in transfers if run.features}
    return Plan(
        experiment=config["experiment"],
        config=config,
        backbones=list(config["backbones"]),
        tasks=tasks,
        runs=backbones + transfers,
        features=[feature_run(run) for run in features.values()],
        checks={name: f"results/data/{key}.json" for name, key in needed.items()},
        origins=origins,
    )


def section_key(config: dict[str, Any], name: str) -> str:
    """`<set>-<hash of its section and of the photos in it>`: names the made data and the check."""
    section = config["data"][name]
    photos = section.get("synthetic", {}).get("photos")
    return f"{name}-{short([section, listing(photos)] if photos else section)}"


def root(config: dict[str, Any], name: str) -> str:
    """Where a data set lies: the root of the config, or where the synthetic one is made."""
    return config["data"][name].get("root", f"results/data/{section_key(config, name)}")


def told(config: dict[str, Any], task: str, backbone: str, recipe: dict[str, Any], seeds: dict[str, int]) -> dict:
    """The --run of a door: the data section with its root filled in, the recipe, the machine."""
    name = NEEDS.get(task, "imagenet")
    section = config["data"][name] | {"root": root(config, name)}
    machine = {key: config[key] for key in MACHINE}
    return {"task": task, "backbone": backbone, "seeds": seeds, "recipe": recipe, "data": section, **machine}


def backbone_runs(config: dict[str, Any], name: str) -> Iterator[PlannedRun]:
    """One run per pretraining seed; a brought file is what it is, so it has one, under the first seed."""
    origin, recipe, made_of = backbone_recipe(config, name)
    gpus = {"brought": min(config["gpus"], 1), "random": 0}.get(origin, config["gpus"])
    key = short(made_of)
    for seed in config["seeds"]["pretrain"][: 1 if origin == "brought" else None]:
        folder = f"results/backbones/{name}-{key}/seed{seed}"
        yield PlannedRun(
            task="pretrain",
            backbone=name,
            origin=origin,
            seeds={"pretrain": seed},
            record=f"{folder}/metrics.json",
            state=f".work/{short(['pretrain', key, seed])}",
            run=told(config, "pretrain", name, recipe, {"pretrain": seed}) | {"gpus": gpus},
            check=f"results/data/{section_key(config, 'imagenet')}.json",
            weights=f"{folder}/backbone.safetensors",
        )


def backbone_recipe(config: dict[str, Any], name: str) -> tuple[str, dict[str, Any], Any]:
    """(origin, the recipe that its door gets, what its key is the hash of)."""
    backbone, pretrain, data = config["backbones"][name], config["pretrain"], config["data"]["imagenet"]
    if "checkpoint" in backbone:
        prepare, stride = backbone.get("preprocessing", "imagenet"), backbone.get("stride", "3x3")
        wanted = backbone.get("weights")  # None: an average if the file has one
        try:
            content = sha256(backbone["checkpoint"])
        except OSError as error:
            raise UserError(f"backbones.{name}.checkpoint: {backbone['checkpoint']}: {error.strerror}") from None
        declared = {"preprocessing": prepare, "stride": stride, "weights": wanted}
        scored = {key: pretrain[key] for key in SCORE}
        recipe = {"checkpoint": backbone["checkpoint"], "sha256": content, **declared, **scored}
        return "brought", recipe, ["brought", content, declared | {"weights": wanted or "ema"}, scored, data]
    if "init" in backbone:
        recipe = {"init": backbone["init"], "size": pretrain["size"], "resize": pretrain["resize"]}
        return "random", recipe, ["random", recipe, data]  # the data give the statistics and the number of classes
    recipe = {**pretrain, **backbone.get("pretrain", {}), "regularizers": backbone.get("regularizers", {})}
    return "pretrained", recipe, ["pretrained", recipe, data]


def transfer_runs(config: dict[str, Any], task: str, start: PlannedRun) -> Iterator[PlannedRun]:
    """One run per transfer seed, from one published backbone."""
    recipe, data, p = config["tasks"][task], section_key(config, NEEDS[task]), start.seeds["pretrain"]
    features = ""
    if task == "nic_coco" and not recipe["finetune"]:
        views = short([{key: recipe[key] for key in VIEWS}, data])
        features = str(Path(start.weights).parent / views).replace("results/backbones/", "results/features/", 1)
    for s in config["seeds"]["transfer"]:
        seeds = {"pretrain": p, "transfer": s}
        yield PlannedRun(
            task=task,
            backbone=start.backbone,
            origin=start.origin,
            seeds=seeds,
            record=f"results/{config['experiment']}/{task}/{start.backbone}/p{p}s{s}/metrics.json",
            state=f".work/{short([task, recipe, data, start.weights, s])}",
            run=told(config, task, start.backbone, recipe, seeds),
            check=f"results/data/{data}.json",
            weights=start.weights,
            features=features,
            vocabulary=f"results/vocabularies/{data}/{recipe['threshold']}" if task == "nic_coco" else "",
        )


def feature_run(run: PlannedRun) -> PlannedRun:
    """The job that computes the features of a captioning run: of its recipe only what the features depend on."""
    recipe = {key: run.run["recipe"][key] for key in VIEWS}
    told_less = run.run | {"recipe": recipe, "seeds": {"pretrain": run.seeds["pretrain"]}}
    told_less["gpus"] = min(told_less["gpus"], 1)  # loading takes the time
    return PlannedRun(**{**vars(run), "seeds": told_less["seeds"], "state": "", "run": told_less})
