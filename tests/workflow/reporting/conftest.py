"""A small finished experiment: records as the trainers write them, and the plan that expects them."""

import hashlib
import itertools
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from workflow import registry
from workflow.contracts import Task
from workflow.core.files import digest, write_record_file
from workflow.planning.plan import PlannedRun
from workflow.training.per_image import write as write_evidence

RECIPES = {
    "pretrain": {"epochs": 4, "batch_size": 32, "lr": 0.1, "val_resize_size": 56, "crop_size": 48},
    "ssd_voc": {"iterations": 200, "batch_size": 16, "lr": 0.01, "freeze_bn": True},
    "faster_rcnn_voc": {"iterations": 250, "batch_size": 4, "lr": 0.01, "freeze_bn": True},
    "nic_coco": {"epochs": 10, "batch_size": 20, "lr": 0.001, "beam_size": 20, "finetune_encoder": False},
}
PROTOCOLS = {
    "pretrain": {"split": "400 validation images, resize 56, crop 48", "epoch": "last of 4"},
    "ssd_voc": {"metric": "VOC07 11-point", "split": "VOC07 test, 150 images", "difficult": "left out"},
    "faster_rcnn_voc": {"metric": "VOC07 11-point", "split": "VOC07 test, 150 images", "difficult": "left out"},
    "nic_coco": {"split": "val2014, 100 images", "beam_size": 20, "encoder": "frozen"},
}


@dataclass
class Plan:
    """As workflow.planning.plan has it."""

    experiment: str
    backbones: list[str]
    tasks: list[str]
    config: dict[str, Any]
    runs: list[PlannedRun] = field(default_factory=list)
    weights: list[PlannedRun] = field(default_factory=list)

    @property
    def jobs(self) -> list[PlannedRun]:
        """All of them: none is stored."""
        return self.runs


def value(task: str, backbone: str, metric: str, seeds: dict[str, int]) -> float:
    """Some fixed number between 20 and 60."""
    return 20 + int(digest([task, backbone, metric, seeds])[:8], 16) % 4000 / 100


@dataclass
class Experiment:
    """A folder with records and the plan for it; `run` finds a planned run."""

    plan: Plan
    folder: Path

    def run(self, task: str, backbone: str, **seeds: int) -> PlannedRun:
        """The run of these names (and seeds, if given)."""
        found = [r for r in self.plan.runs if (r.task, r.backbone) == (task, backbone)]
        return next(r for r in found if all(r.seeds[key] == seed for key, seed in seeds.items()))

    def edit(self, run: PlannedRun, **changes: Any) -> None:
        """Rewrite the record of `run` with the given parts merged in."""
        record = json.loads(Path(run.record).read_text())
        sign(run, {key: {**record[key], **part} for key, part in changes.items()})

    def sign(self, run: PlannedRun, **parts: Any) -> None:
        """Rewrite the record of `run` with whole parts replaced and the hashes of what lies beside it by now."""
        sign(run, parts)

    def recipe(self, run: PlannedRun, **changes: Any) -> None:
        """Rewrite `run` as made under a changed recipe, which is not the plan's."""
        path = Path(run.record).with_name("config.json")
        config = json.loads(path.read_text())
        config["recipe"] |= changes
        path.write_text(json.dumps(config))
        self.edit(run, provenance={"recipe": digest(config["recipe"])})

    def unscored(self, run: PlannedRun, why: str) -> None:
        """Rewrite the record of `run` as that of a backbone that was neither trained here nor scored."""
        nothing = {"metrics": {}, "best": {}, "history": {"points": [], "evaluations": []}}
        sign(run, nothing | {"protocol": {"split": why}})

    def fail(self, run: PlannedRun, reason: str) -> None:
        """Leave `run` as a failure does: no record, its reason in the state folder."""
        shutil.rmtree(Path(run.record).parent)
        Path(run.state).mkdir(parents=True)
        (Path(run.state) / "error.txt").write_text(reason + "\n")

    def remove(self, run: PlannedRun) -> None:
        """Leave `run` as not yet started."""
        shutil.rmtree(Path(run.record).parent)


def planned(
    folder: Path, task: str, row: str, seeds: dict[str, int], recipe: dict[str, Any], origin: str
) -> PlannedRun:
    """A run as workflow.planning.plan plans it, below `folder`."""
    published = folder / f"results/backbones/{row}-k/seed{seeds['pretrain']}"
    name = "".join(f"{key[0].replace('t', 's')}{seed}" for key, seed in seeds.items())
    return PlannedRun(
        task=task,
        backbone=row,
        origin=origin,
        seeds=seeds,
        room="",
        subcommand="",
        record=str(
            (published if task == "pretrain" else folder / f"results/small/{task}/{row}/{name}") / "metrics.json"
        ),
        state=str(folder / f".work/{task}{row}{name}"),
        run={"task": task, "backbone": row, "seeds": seeds, "recipe": recipe, "data": {"root": "somewhere"}, "gpus": 0},
        check=str(folder / f"results/data/{task}.json"),
        weights=str(published / "backbone.safetensors"),
    )


def sign(run: PlannedRun, changes: dict[str, Any] | None = None) -> None:
    """Write the record of `run` as the trainers do, with the hashes of what lies beside it by now."""
    record = json.loads(Path(run.record).read_text())
    write_record_file(Path(run.record).parent, record | (changes or {}))


def write(run: PlannedRun, recipe: dict[str, Any] | None = None, task: Task | None = None) -> None:
    """A record as the trainers write it, and the backbone of a pretraining; of another recipe than the plan's if that
    is given, and of a column that is not named like its task."""
    task = task or registry.tasks()[run.task]
    recipe = run.run["recipe"] if recipe is None else recipe
    noise = int(digest([run.task, run.backbone, run.seeds])[:10], 16) / 2**50  # two trainings never have one curve
    losses = [{"iteration": 10 * i, "loss": 3.0 / i + noise, "lr": 0.1} for i in range(1, 21)]
    untrained = run.task == "pretrain" and run.origin == "random"
    weights = run.weights.encode()  # their content counts, not their kind
    record = {
        "task": run.task,
        "backbone": run.backbone,
        "seeds": run.seeds,
        "metrics": {m.name: value(run.task, run.backbone, m.name, run.seeds) for m in task.metrics},
        "protocol": PROTOCOLS.get(task.name, {}),
        "provenance": {
            "recipe": digest(recipe),
            "backbone": None if run.task == "pretrain" else hashlib.sha256(weights).hexdigest(),
            "data": digest(run.task),
            "code": digest("code"),
            "device": "x86_64 CPU",
            "threads": 1,
            "peak_memory_mb": 2100.4,
            "seconds": 104.2,
            "images_per_second": 61.53,
        },
        "history": {"points": [] if untrained else losses, "evaluations": [{"iteration": 100}, {"iteration": 200}]},
    }
    if run.task == "pretrain":
        record["best"] = {"epoch": 3, **{m: v - 1.25 for m, v in record["metrics"].items()}}
    folder = Path(run.record).parent
    folder.mkdir(parents=True)
    if run.task == "pretrain":
        Path(run.weights).write_bytes(weights)
    (folder / "config.json").write_text(json.dumps(run.run | {"recipe": recipe}))
    write_record_file(folder, record)


def data_set(column: tuple[str, dict[str, Any]]) -> str:
    """The data set of a column."""
    name, section = column
    return section.get("data", registry.tasks()[section.get("task", name)].dataset)


@pytest.fixture
def experiment(tmp_path):
    """Call it to make an experiment: rows, seeds (pretraining × transfer), data sections, tasks."""
    made = itertools.count()

    def make(backbones=None, seeds=(1, 1), data=None, tasks=("ssd_voc", "faster_rcnn_voc", "nic_coco")) -> Experiment:
        rows = (
            {"baseline": {}, "cutmix": {"regularizers": {"cutmix": {"alpha": 1.0}}}} if backbones is None else backbones
        )
        # what is told by its name only is regularized, but for the baseline
        rows = {row: spec or ({} if row == "baseline" else {"regularizers": {row: {}}}) for row, spec in rows.items()}
        sets = {"imagenet": {"root": "x"}, "voc": {"root": "y"}, "coco": {"root": "z", "split": "mine"}}
        data = sets | (data or {})
        columns = tasks if isinstance(tasks, dict) else {task: {} for task in tasks}
        data |= {name: {"root": "y"} for name in map(data_set, columns.items()) if name not in data}
        config = {"backbones": rows, "data": data, "pretrain": {"network": "resnet50"}, "tasks": columns}
        plan = Plan("small", list(rows), list(tasks), config)
        folder = tmp_path / str(next(made))
        for row, spec in rows.items():
            recipe = RECIPES["pretrain"] | spec.get("pretrain", {}) | {"regularizers": spec.get("regularizers", {})}
            origin = "imported" if "checkpoint" in spec else "random" if "init" in spec else "pretrained"
            for p in range(seeds[0]):
                plan.runs.append(planned(folder, "pretrain", row, {"pretrain": p}, recipe, origin))
                for task, section in columns.items():
                    of_task = RECIPES.get(section.get("task", task), {})
                    for s in range(seeds[1]):
                        both = {"pretrain": p, "transfer": s}
                        plan.runs.append(planned(folder, task, row, both, of_task, origin))
        for run in plan.runs:
            write(run, task=registry.task_of(config, run.task))
        return Experiment(plan, folder)

    return make


@pytest.fixture
def finish():
    """Call it with a planned run to give it a record."""
    return write


@pytest.fixture
def certain(experiment):
    """Call it with numbers of seeds: an experiment where CIDEr has evidence and cutmix is ten points above baseline."""

    def make(pretrain: int, transfer: int = 1) -> Experiment:
        small = experiment(seeds=(pretrain, transfer), tasks=("nic_coco",))
        for run in small.plan.runs:
            if run.task == "nic_coco":
                better = run.backbone == "cutmix"  # and a seed that is good for it is bad for the other row
                seed = sum(run.seeds.values()) - (pretrain + transfer - 2) / 2
                level = 60 + seed if better else 50 - seed
                evidence = {"CIDEr": np.linspace(level - 5, level + 5, 40)}
                write_evidence(Path(run.record).with_name("per_image.npz"), np.arange(40), **evidence)
                sign(run, {"metrics": {"CIDEr": level}})
        return small

    return make
