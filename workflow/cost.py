"""How long a config takes on this machine: `python -m workflow.cost --config FILE`, or `make cost CONFIG=FILE`.

No data are needed: where the photos of drawn scenes are missing, shapes take their place. Each job has one GPU. A few
steps of every kind of run are timed with its own network, recipe and loaders, on drawn images of the area of the
official set's photos, and multiplied by the steps, test images and views of the config. A door of each task measures
its own: this module imports none.
"""

import argparse
import dataclasses
import json
import math
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from workflow.config import load
from workflow.jobs import prepare_jobs, usable_cores
from workflow.makespan import Job, makespan
from workflow.plan import Plan, PlannedRun, plan
from workflow.registry import tasks
from workflow.training.errors import UserError, door
from workflow.training.escaping import say
from workflow.training.files import read_json, write_hashed

ROOMS = {"pretrain": "pretrain", "nic_coco": "captioning"}  # the other tasks are detection's
# What of a recipe says nothing of the cost of a step (of the regularizers: some percent at most).
IGNORED = {"epochs", "iterations", "steps", "warmup", "lr", "momentum", "nesterov", "weight_decay", "evaluate_every"}
IGNORED |= {"regularizers"}
# The sets as they are published (workflow/data/sources.yaml); px: side of a square of the area of a usual photo.
OFFICIAL = {
    "imagenet": {"classes": 1000, "px": 430, "counts": {"train": 1_281_167, "val": 50_000}},
    "voc": {"classes": 20, "px": 430, "counts": {"trainval07": 5011, "trainval12": 11_540, "test07": 4952}},
    "coco": {
        "classes": 80,
        "px": 554,
        "counts": {"train_images": 82_783, "train_captions": 414_113, "test_images": 40_504},
        "karpathy": {"train_images": 113_287, "train_captions": 566_747, "test_images": 5000},
    },
}
PARTS = {  # of a set: what a task is trained and tested on
    "pretrain": (["train"], "val"),
    "ssd_voc": (["trainval07", "trainval12"], "test07"),
    "faster_rcnn_voc": (["trainval07", "trainval12"], "test07"),
    "faster_rcnn_coco": (["train_images"], "test_images"),
    "nic_coco": (["train_captions"], "test_images"),
}
NOT_COUNTED = """
Loading is that of drawn images from the temporary folder. The networks are untrained: their captions are as long as
they may be. Not counted: scoring (mAP, METEOR: minutes), the check of the data, brought backbones, the report."""


def counts(config: dict[str, Any], name: str, check: Path) -> dict[str, int]:
    """Images and captions of a set: as it was checked, as it will be drawn, or as it is published."""
    section, official = config["data"][name], OFFICIAL[name]
    if check.is_file():
        return read_json(check, "counts")["counts"]
    if "root" in section:
        return official.get(section.get("split"), official["counts"])
    spec = section["synthetic"]
    if name != "coco":
        return {split: spec[split] for split in official["counts"]}
    third, karpathy = spec["val"] // 3, section["split"] == "karpathy"
    train = spec["train"] + karpathy * third
    return {"train_images": train, "train_captions": 5 * train, "test_images": third if karpathy else spec["val"]}


def sizes(todo: Plan, found: dict[str, dict[str, int]]) -> list[str]:
    """A line for each set: the numbers that the hours are of, and where they come from."""
    lines = []
    for name, check in todo.checks.items():
        numbers = ", ".join(f"{number:,} {part.replace('_', ' ')}" for part, number in found[name].items())
        published = "published: the set is not checked yet" if "root" in todo.config["data"][name] else "drawn"
        lines.append(f"{name}: {numbers} (as {'checked' if Path(check).is_file() else published})")
    return lines


def kind(run: PlannedRun) -> tuple[str, str]:
    """Runs of one kind cost the same a step."""
    kept = {key: value for key, value in run.run["recipe"].items() if key not in IGNORED}
    return run.task, repr(sorted(kept.items()))


def kinds(todo: Plan) -> dict[tuple[str, str], list[PlannedRun]]:
    """The runs that train, by kind."""
    found: dict[tuple[str, str], list[PlannedRun]] = {}
    for run in todo.runs:
        if run.task != "pretrain" or run.origin == "pretrained":
            found.setdefault(kind(run), []).append(run)
    return found


def drawn(config: dict[str, Any], name: str, batch: int, folder: Path) -> Path:
    """CHECK.json of a small drawn set, with as many classes as the real one has."""
    import importlib

    from workflow.data import synthetic

    section, official = config["data"][name], OFFICIAL[name]
    own, half = section.get("synthetic", {}), batch // 2 + 8  # some drawn scenes have no object that counts
    images = {
        "imagenet": {"train": batch, "val": 2 * batch},
        "voc": {"trainval07": half, "trainval12": half, "test07": 24},
        "coco": {"train": max(2 * batch, 128), "val": 300 if section.get("split") == "karpathy" else 100},
    }[name]
    spec = {**made_of(name, own), **images, "size": own.get("size", official["px"]), "seed": 0}
    synthetic.make(name, spec, folder / name)
    split = {"split": section["split"]} if "split" in section else {}
    check = importlib.import_module(f"workflow.data.{name}").check({"synthetic": spec, **split}, folder / name)
    listed = section.get("classes")
    classes = len(listed) if isinstance(listed, list) else 0 if own else official["classes"]
    check["classes"] += [f"class {n}" for n in range(len(check["classes"]), classes)]
    write_hashed(folder / f"{name}.json", check)
    return folder / f"{name}.json"


def made_of(name: str, own: dict[str, Any]) -> dict[str, Any]:
    """What the drawn set shows: the photos that the config names, if they are there, or shapes."""
    if "photos" in own and Path(own["photos"]).is_dir():
        return {"photos": own["photos"]}
    if "photos" in own:
        say(f"data.{name}.synthetic.photos: no folder {own['photos']}: shapes in their place")
    return {"classes": own.get("classes", 12)}


def measure(todo: Plan, folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Kind of run to its cost.json: seconds of a step, of a test image (`image`) and of a view's features (`view`).
    A kind that this machine is too small for is left out; UserError if that is all."""
    found, checks = {}, {}
    for number, (key, runs) in enumerate(kinds(todo).items()):
        run, name = runs[0], tasks()[runs[0].task].dataset
        batch = max(each.run["recipe"].get("batch", 0) for each in todo.runs if tasks()[each.task].dataset == name)
        checks[name] = checks.get(name) or drawn(todo.config, name, batch, folder)
        print(f"measuring {run.task} …", flush=True)
        out = folder / str(number)
        door, one = f"{ROOMS.get(run.task, 'detection')}.cost", json.dumps(run.run | {"gpus": min(run.gpus, 1)})
        call = [sys.executable, "-m", "workflow.training.launch", door, "--run", one]
        status = subprocess.run([*call, "--data", str(checks[name]), "--out", str(out)], check=False).returncode
        if status > 0:
            raise UserError(f"the cost of {run.task} could not be measured; the reason stands above")
        if status < 0:
            print(f"{run.task}: it was killed, often for want of memory", flush=True)
            continue
        found[key] = read_json(out / "cost.json")
    if not found:
        raise UserError("no kind of run could be measured on this machine")
    return found


def spent(run: PlannedRun, cost: dict[str, Any], found: dict[str, int]) -> tuple[int, float, float]:
    """A run's steps, its seconds of training, and those of passing the test images as often as it is evaluated."""
    from workflow.training.engine import Budget

    train, test = PARTS[run.task]
    budget = Budget.of(run.run["recipe"], sum(found[part] for part in train))
    passes = math.ceil(budget.iterations / budget.evaluate_every)
    return budget.iterations, budget.iterations * cost["step"], passes * found[test] * cost["image"]


def jobs(todo: Plan, costs: dict[tuple[str, str], dict[str, Any]], found: dict[str, dict[str, int]]) -> dict[str, Job]:
    """All jobs that take long, by the file or folder that they leave."""
    every: dict[str, Job] = {}
    for key, runs in kinds(todo).items():
        for run in runs:
            _, training, evaluating = spent(run, costs[key], found[tasks()[run.task].dataset])
            here = run.weights if run.task == "pretrain" else run.record
            needs = () if run.task == "pretrain" else (run.shared.get("features", run.weights),)
            every[here] = Job(training + evaluating, needs)
            if "features" in run.shared:
                every[run.shared["features"]] = Job(views(run, found["coco"]) * costs[key]["view"], (run.weights,))
    return {name: Job(job.seconds, tuple(need for need in job.needs if need in every)) for name, job in every.items()}


def views(run: PlannedRun, found: dict[str, int]) -> int:
    """How many features are computed for a captioning run."""
    return found["train_images"] * run.run["recipe"]["views"] + found["test_images"]


def table(todo: Plan, costs: dict[tuple[str, str], dict[str, Any]], found: dict[str, dict[str, int]]) -> list[str]:
    """A line for each kind of run, its hours one by one and all together."""
    lines = [f"{'':18}{'runs':>5}{'ms a step':>11}{'steps':>11}{'training':>11}{'testing':>10}{'a run':>11}{'all':>12}"]
    for key, runs in kinds(todo).items():
        name, cost = tasks()[key[0]].dataset, costs[key]
        each = [spent(run, cost, found[name]) for run in runs]
        steps, training, testing = each[0]
        whole = sum(sum(seconds) for _, *seconds in each)
        shared = {run.shared["features"]: run for run in runs if "features" in run.shared}
        if shared:
            number = views(runs[0], found[name])
            seconds = number * cost["view"]
            lines.append(row("features", len(shared), cost["view"], number, seconds, 0, len(shared) * seconds))
        lines.append(row(key[0], len(runs), cost["step"], steps, training, testing, whole))
    return lines


def row(name: str, runs: int, step: float, steps: int, training: float, testing: float, whole: float) -> str:
    """One line of the table."""
    first = f"{name:18}{runs:5}{1000 * step:11,.1f}{steps:11,}{training / 3600:9,.2f} h"
    return f"{first}{testing / 3600:8,.2f} h{(training + testing) / 3600:9,.2f} h{whole / 3600:10,.1f} h"


def report(config: dict[str, Any], places: list[int]) -> str:
    """Measure, and say it."""
    todo = plan(config)
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(todo, Path(folder))
    missing = [runs[0].task for key, runs in kinds(todo).items() if key not in costs]
    todo = dataclasses.replace(todo, runs=[run for run in todo.runs if kind(run) in costs])
    found = {name: counts(todo.config, name, Path(check)) for name, check in todo.checks.items()}
    every = jobs(todo, costs, found)
    device = next(iter(costs.values()))["device"]
    own = f"each job with {todo.cores} cores of its own"
    each = "a job on each" + f" (not on {todo.config['gpus']})" * (todo.config["gpus"] > 1)
    what = f"GPUs, {each}, {own}" if "CPU" not in device else f"jobs at once, {own}"
    together = "; ".join(f"{n}: {makespan(every, n) / 3600:,.1f} h" for n in places)
    here = usable_cores()
    lines = [f"{todo.experiment}, measured on {device}, with {here} cores at hand"]
    if todo.cores > here:
        lines.append(f"warning: a job is to have {todo.cores} cores (threads + workers): with them it is faster")
    lines += ["", *sizes(todo, found), "", *table(todo, costs, found)]
    lines += [f"{task}: not measured, and in no sum: it was killed, often for want of memory" for task in missing]
    return "\n".join([*lines, "", f"The whole of {len(every)} jobs by number of {what}:", together, NOT_COUNTED])


@door
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2, 4, 8], help="how many GPUs, or jobs at once")
    args = parser.parse_args()
    if min(args.gpus) < 1:
        parser.error("--gpus: at least 1")
    prepare_jobs(Path(__file__).parents[1])
    print(report(load(args.config), args.gpus))


if __name__ == "__main__":
    main()
