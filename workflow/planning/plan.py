"""All that a config asks for, as rules and report read it: runs, data sets and their checks, resources of jobs. No
torch: planning must be quick."""

import functools
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow import registry
from workflow.config.library_weights import library_weights
from workflow.contracts import DataSet
from workflow.core.errors import UserError
from workflow.data.fetch import fetch
from workflow.planning.planned_run import PlannedRun
from workflow.planning.report_files import ReportFiles
from workflow.planning.runs import artifact_runs, backbone_runs, root, section_key, transfer_runs
from workflow.planning.stored_records import placed
from workflow.planning.tracking import with_tracking

BRIEF = 60  # minutes, of a job that neither trains nor computes anything large


@dataclass(frozen=True)
class Plan(ReportFiles):
    """All that a config asks for. `tasks` are the instances of transfer tasks; `runs` has the backbones' runs first,
    `artifacts` the jobs that make from a backbone what runs share; `origins` says from where data sets are fetched, and
    stands apart from `config` because no result depends on it. `weights`: backbones that are made here for their
    weights only, as `runs` has their stored records."""

    experiment: str
    config: dict[str, Any]
    backbones: list[str]
    tasks: list[str]
    runs: list[PlannedRun]
    artifacts: list[PlannedRun]
    checks: dict[str, str]
    origins: dict[str, str]
    weights: list[PlannedRun] = field(default_factory=list)

    @property
    def jobs(self) -> list[PlannedRun]:
        """The runs that are made here: all but the stored ones."""
        return [run for run in self.runs if not run.stored] + self.weights

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
        """What a batch system gives a training, features, and the scoring of an imported file."""
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

    def generated_dirs(self, name: str) -> list[str]:
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
        rooted = {name: check for name, check in self.checks.items() if not self.generated_dirs(name)}
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

    def fetch_count(self, name: str) -> int:
        """How many times the data set was fetched; one more, and so a reason to fetch it, if something is missing."""
        return fetch.fetch_count(
            self.layout(name).name, self.config["data"][name], Path(self.root(name)), Path(self.fetched[name])
        )

    @property
    def library_weights(self) -> dict[str, str]:
        """Weights of libraries that rows start from -> the record of their fetching."""
        named = {row.get("checkpoint", "") for row in self.config["backbones"].values()}
        found = {name: library_weights(name) for name in sorted(named)}
        return {
            name: f"results/data/weights/{one.library}/{one.name}.fetched.json" for name, one in found.items() if one
        }

    def weights_fetch_count(self, name: str) -> int:
        """The same as `asked` of weights of a library."""
        weights = library_weights(name)
        return fetch.times(Path(self.library_weights[name]), bool(weights and weights.fetched()))

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
        return {(run.task, run.backbone, run.seeds["pretrain"], run.seeds.get("transfer")): run for run in self.jobs}

    def making(self, folder: str) -> PlannedRun:
        """The job that makes a shared folder of a backbone; of the data, any run that reads it. UserError if none is
        planned."""
        try:
            return self._makers[folder]
        except KeyError:
            raise UserError(f"no run of this config needs {folder}") from None

    @functools.cached_property
    def _makers(self) -> dict[str, PlannedRun]:
        readers = {folder: run for run in reversed(self.jobs) for folder in run.shared.values()}
        return readers | {run.artifact: run for run in self.artifacts}


def plan(config: dict[str, Any]) -> Plan:
    """All runs of a checked config; UserError if an imported file cannot be read."""
    origins = {name: section["source"] for name, section in config["data"].items() if "source" in section}
    without = {name: {k: v for k, v in section.items() if k != "source"} for name, section in config["data"].items()}
    config = config | {"data": without}
    tasks = list(config["tasks"])
    names = [registry.data_name(config, task) for task in (registry.PRETRAIN, *tasks)]
    needed = {name: section_key(config, name) for name in names}
    backbones = [run for name in config["backbones"] for run in backbone_runs(config, name)]
    transfers = [run for task in tasks for start in backbones for run in transfer_runs(config, task, start)]
    where = placed(config.get("records", []), backbones, transfers)
    made_here = [run for run in where.transfers if not run.stored]
    artifacts = {made.artifact: made for run in made_here for made in artifact_runs(config, run)}
    return Plan(
        experiment=config["experiment"],
        config=config,
        backbones=list(config["backbones"]),
        tasks=tasks,
        runs=[with_tracking(config, run) for run in where.backbones + where.transfers],
        artifacts=list(artifacts.values()),
        checks={name: f"results/data/{key}.json" for name, key in needed.items()},
        origins=origins,
        weights=[with_tracking(config, run) for run in where.weights],
    )


def pattern(names: Iterable[str]) -> str:
    """A pattern that matches these names and nothing else, for a wildcard."""
    return "|".join(sorted(name.replace(".", r"\.") for name in names)) or "(?!)"
