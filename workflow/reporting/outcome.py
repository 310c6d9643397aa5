"""The outcome of a planned run, and the types of a record's keys (design: Contracts, Record)."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, NotRequired, Required, TypedDict

from workflow.contracts import Task


class History(TypedDict):
    """The learning curves: mean training losses (`iteration`, `loss`) and evaluations (`iteration`, metrics)."""

    points: list[dict[str, float]]
    evaluations: list[dict[str, float]]


class Provenance(TypedDict, total=False):
    """What the result was made of, and the machine that it was made on. Records of earlier versions have fewer keys."""

    recipe: Required[str]
    data: Required[str]
    in_distribution: str
    backbone: str | None
    code: str
    device: str
    libraries: dict[str, str]
    machine: dict[str, Any]
    seconds: float
    images_per_second: float
    data_wait: float
    peak_memory_mb: float


class Record(TypedDict):
    """The content of metrics.json as the report reads it. `best` has metrics and the epoch or iteration that they are
    of; `per_class` has None for a class without an object in the test set; `parameters` is the size of a backbone's
    network as published, with its classifier; `references` has metrics that need no network, by what gives them."""

    task: str
    backbone: str
    seeds: dict[str, int]
    metrics: dict[str, float]
    protocol: dict[str, Any]
    provenance: Provenance
    history: History
    files: dict[str, str]
    sha256: str
    best: NotRequired[dict[str, float]]
    per_class: NotRequired[dict[str, float | None]]
    parameters: NotRequired[int]
    references: NotRequired[dict[str, dict[str, float]]]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """One planned run of the column `task`, which is as `declaration` says. Only one that is done is a FinishedRun: a
    record that is not the plan's is stale, and nobody gets to see its numbers.

    `reason` says in a few words why there is no record; it is empty where there is one. `stored` is the folder of the
    config's `records` that has the record; empty for one that was made here.
    """

    task: str
    declaration: Task
    backbone: str
    seeds: dict[str, int]
    path: Path
    status: Literal["done", "stale", "failed", "pending"]
    reason: str = ""
    stored: str = ""

    @property
    def seed_name(self) -> str:
        """As in the paths: `p0` for pretraining, `p0s1` for a transfer."""
        transfer = f"s{self.seeds['transfer']}" if "transfer" in self.seeds else ""
        return f"p{self.seeds['pretrain']}{transfer}"

    @property
    def name(self) -> str:
        """For messages: `ssd_voc cutmix p0s1`."""
        return f"{self.task} {self.backbone} {self.seed_name}"

    @property
    def why(self) -> str:
        """Why there is no record, e.g. `failed: out of memory`, `stale: recipe.lr 0.006, now 0.6` or `pending`."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


@dataclass(frozen=True, kw_only=True)
class FinishedRun(Outcome):
    """One that is done: its record, and the resolved config beside it."""

    status: Literal["done"] = "done"
    record: Record
    config: dict[str, Any]
