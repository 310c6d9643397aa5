"""One job of the plan: its paths, what its command is told, and which of its inputs are a reason to run it again."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from workflow.contracts import INDEX
from workflow.planning.rerun import ancient_if_exists, fingerprint, is_outdated, same_backbone, unless
from workflow.registry import PRETRAIN

MACHINE = {"threads": "cpu_threads", "workers": "num_workers", "gpus": "gpus"}  # of a run, and of the config: where a
# result is computed, not what it is
SEEDS = {"pretrain": "p", "transfer": "s"}  # in paths
CHECKED = "results/data/all_checks_passed.txt"  # what every training waits for


@dataclass(frozen=True)
class PlannedRun:
    """One job of the DAG that leaves a record (or, with `artifact`, that folder, which runs share).

    `task` is the instance, a key of the config, and `python -m ROOM SUBCOMMAND` what runs it. `origin` says where the
    backbone comes from: pretrained, imported or random. `record` is the path of metrics.json, `state` the folder of the
    resume state ("" of an artifact), `run` what the subcommand gets as --run-spec, `check` the result of the data
    check, `weights` the published backbone. `shared` are the folders that it shares with other runs, by the name of the
    artifact, `from_backbone` those of them that are made from the backbone. `tracking` says where the curves of a
    training go, `keep_network` whether the trained network is written. `in_distribution` is the check of the
    pretraining set, of a task that scores its test images too. `stored` is the folder of the config's `records` that
    has the record; no job is planned then. `refused` says why a record in such a folder is not this run's.
    """

    task: str
    backbone: str
    origin: str
    seeds: dict[str, int]
    room: str
    subcommand: str
    record: str
    state: str
    run: dict[str, Any]
    check: str
    weights: str
    shared: dict[str, str] = field(default_factory=dict)
    from_backbone: tuple[str, ...] = ()
    artifact: str = ""
    tracking: dict[str, str] = field(default_factory=dict)
    keep_network: bool = False
    in_distribution: str = ""
    stored: str = ""
    refused: str = ""

    @property
    def seed_name(self) -> str:
        """As in the paths: `p0` for pretraining, `p0s1` for a transfer."""
        return "".join(f"{short}{self.seeds[kind]}" for kind, short in SEEDS.items() if kind in self.seeds)

    @property
    def json(self) -> str:
        """The text of --run-spec."""
        also = {"tracking": self.tracking, "keep_network": self.keep_network}
        return json.dumps(self.run | {key: value for key, value in also.items() if value})

    def start(self, ancient: Callable[[str], str]) -> str:
        """The backbone as an input. What is imported or random follows from its path: made anew it changes nothing."""
        if self.origin == "pretrained":
            return self.made_of(self.weights, ancient)
        return self.ancient_input(ancient)(self.weights)

    def made_of(self, file: str, ancient: Callable[[str], str]) -> str:
        """The backbone, or what is made of it, as an input: a reason to run again if its content is another."""
        return ancient(file) if same_backbone(self, file) else file

    def ancient_input(self, ancient: Callable[[str], str]) -> Callable[[str], str]:
        """For an input that is no reason to run the job again."""
        return (
            ancient_if_exists(ancient, f"{self.artifact}/{INDEX}")
            if self.artifact
            else unless(is_outdated(self), ancient)
        )

    def inputs(self, ancient: Callable[[str], str]) -> dict[str, str]:
        """The named inputs of its job. What is made of the backbone is a reason to run again, as the backbone is; what
        is made of the data is not: the data's hash tells."""
        settled = self.ancient_input(ancient)
        found = {"check": settled(self.check), "gate": settled(CHECKED)}
        if self.task == PRETRAIN:
            return found | (
                {"checkpoint": ancient(self.run["recipe"]["checkpoint"])} if self.origin == "imported" else {}
            )
        shared = {} if self.artifact else self.shared
        files = {name: f"{folder}/{INDEX}" for name, folder in shared.items()}
        files = {
            name: self.made_of(file, ancient) if name in self.from_backbone else settled(file)
            for name, file in files.items()
        }
        files |= {"in_distribution": settled(self.in_distribution)} if self.in_distribution else {}
        return found | {"weights": self.start(ancient)} | files

    @property
    def command(self) -> list[str]:
        """What its job runs, behind `python -m`."""
        words = [self.room, self.subcommand, "--run-spec", self.json, "--dataset-info", self.check]
        if self.task == PRETRAIN and self.origin == "imported":
            words.append(f"--checkpoint={self.run['recipe']['checkpoint']}")  # its name may begin with a dash
        words += ["--backbone", self.weights] if self.task != PRETRAIN else []
        words += ["--in-distribution", self.in_distribution] if self.in_distribution else []
        words += ["--checkpoint-dir", self.state] if self.state else []
        words += [word for name, folder in self.shared.items() for word in (f"--{name}", folder)]
        return [*words, "--out", self.artifact or str(Path(self.record).parent)]

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
        return json.dumps(self.compared | {"fingerprint": fingerprint(self, self.artifact)})
