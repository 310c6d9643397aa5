"""How long a config takes on this machine: `python -m workflow.planning.cost --config FILE` or `make cost CONFIG=FILE`.

No data are needed: where the photos of drawn scenes are missing, shapes take their place. Each job has one GPU. A few
steps of every kind of run are timed with its own network, recipe and loaders, on drawn images of the area of the
official set's photos, and multiplied by the steps, test images and views of the config. The subcommand
`cost` of each task's room measures its own: this module imports none.
"""

import argparse
import dataclasses
import json
import math
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow.config.loading import load
from workflow.contracts import Counts, Recipe, SharedArtifact, Task
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError, cli_entry_point
from workflow.core.files import read_json
from workflow.core.job_environment import prepare_jobs, usable_cores
from workflow.data.held_out import HELD_OUT
from workflow.planning.cost_images import batch_sizes, synthetic_check
from workflow.planning.cost_table import HEADING, aligned, row
from workflow.planning.makespan import Job, makespan
from workflow.planning.plan import Plan, plan
from workflow.planning.planned_run import PlannedRun
from workflow.planning.schedule import Schedule
from workflow.registry import PRETRAIN, data_name, layout_of, network_name, parts_of, task_of

# What of a recipe says nothing of the cost of a step (of the regularizers: some percent at most).
IGNORED = {
    "epochs",
    "iterations",
    "milestones",
    "warmup_iters",
    "lr",
    "momentum",
    "nesterov",
    "weight_decay",
    "eval_interval",
}
IGNORED |= {"regularizers"}
SECONDS_BETWEEN_SAVES = 60.0  # workflow/training/resume/checkpointing.py, which needs torch
Parts = tuple[int, int]  # images to train on, and to test on
Kind = tuple[str, str, str]  # of runs: task, network, and what of the recipe tells on the cost
NOT_COUNTED = """
A run includes the start of its job, and a training a saved state each minute. Loading is that of drawn images from the
temporary folder. The networks are untrained: their captions are as long as they may be. Not counted: the scoring of
boxes (seconds), checking photos, imported and random backbones, figures, the report."""


def counts(config: dict[str, Any], name: str, check: Path) -> dict[str, int]:
    """Images and captions of a set: as it was checked, as it will be drawn, or as it is published."""
    section, data = config["data"][name], layout_of(config, name)
    if check.is_file():
        return DatasetInfo.read(check).counts
    if "root" not in section:
        return data.made_counts(section)
    split = section.get("split", "")
    if split not in data.counts:
        raise UserError(f"data.{name}: not checked yet, and no set is published in its layout: its size is not known")
    return dict(data.counts[split])


def sizes(todo: Plan, found: dict[str, dict[str, int]]) -> list[str]:
    """A line for each set: the numbers that the hours are of, and where they come from."""
    lines = []
    for name, check in todo.checks.items():
        numbers = ", ".join(f"{number:,} {part.replace('_', ' ')}" for part, number in found[name].items())
        published = "published: the set is not checked yet" if "root" in todo.config["data"][name] else "drawn"
        lines.append(f"{name}: {numbers} (as {'checked' if Path(check).is_file() else published})")
    return lines


def kind(todo: Plan, run: PlannedRun) -> Kind:
    """Runs of one kind cost the same a step."""
    kept = {key: value for key, value in run.run["recipe"].items() if key not in IGNORED}
    return run.task, network_name(todo.config, run.backbone), repr(sorted(kept.items()))


def named(todo: Plan, key: Kind) -> str:
    """A kind for people: its task, and its network where the config has several."""
    several = len({network_name(todo.config, name) for name in todo.backbones}) > 1
    return f"{key[0]} {key[1]}" if several else key[0]


def kinds(todo: Plan) -> dict[Kind, list[PlannedRun]]:
    """The runs that train, by kind."""
    found: dict[Kind, list[PlannedRun]] = {}
    for run in todo.jobs:
        if run.task != PRETRAIN or run.origin == "pretrained":
            found.setdefault(kind(todo, run), []).append(run)
    return found


def measure(todo: Plan, folder: Path) -> dict[Kind, dict[str, Any]]:
    """Kind of run to its cost.json: seconds of a step, of a test image (`image`) and of a unit of what runs share.
    `start` is all that is not timed in it: Python, torch, the network and its weights, the last state, the files;
    `drawing` is of one image or caption of its data. A kind that this machine is too small for is left out; UserError
    if that is all."""
    found: dict[Kind, dict[str, Any]] = {}
    checks: dict[str, Path] = {}
    drawing: dict[str, float] = {}
    batches = batch_sizes(todo)
    for number, (key, runs) in enumerate(kinds(todo).items()):
        run, name = runs[0], data_name(todo.config, runs[0].task)
        if name not in checks:
            begun = time.monotonic()
            checks[name] = synthetic_check(todo.config, name, batches[name], folder)
            drawing[name] = (time.monotonic() - begun) / sum(DatasetInfo.read(checks[name]).counts.values())
        print(f"measuring {named(todo, key)} …", flush=True)
        out = folder / str(number)
        one = json.dumps(run.run | {"gpus": min(run.gpus, 1)})
        call = [sys.executable, "-m", "workflow.training.distributed.launch", run.room, "cost", "--run-spec", one]
        call += ["--network", key[1]]
        begun = time.monotonic()
        status = subprocess.run([*call, "--dataset-info", str(checks[name]), "--out", str(out)], check=False).returncode
        passed = time.monotonic() - begun
        if status > 0:
            raise UserError(f"the cost of {named(todo, key)} could not be measured; the reason stands above")
        if status < 0:
            print(f"{named(todo, key)}: it was killed, often for want of memory", flush=True)
            continue
        cost = whole_batch(read_json(out / "cost.json"), run)
        start = passed - cost["timed"] if "timed" in cost else 0.0
        found[key] = cost | {"start": start, "drawing": drawing[name]}
    if not found:
        raise UserError("no kind of run could be measured on this machine")
    return found


def whole_batch(cost: dict[str, Any], run: PlannedRun) -> dict[str, Any]:
    """The cost with the seconds of a whole step, where a CPU was given fewer images than the recipe's batch (`batch`):
    there a step takes about as long as its images."""
    return cost | ({"step": cost["step"] * run.run["recipe"]["batch_size"] / cost["batch"]} if "batch" in cost else {})


def spent(task: Task, run: PlannedRun, cost: dict[str, Any], parts: Parts) -> tuple[int, float, float]:
    """A run's steps, its seconds of training, and those of passing the test images as often as it is evaluated;
    `parts`: how many images there are to train on, and to test on."""
    trained, tested = task.sizes(run.run["recipe"], *parts)
    if task.kind == "evaluate":
        return 0, 0.0, (trained + tested) * cost["image"]
    schedule, lr = Schedule.of(run.run["recipe"], trained), run.run["recipe"].get("lr")
    passes = math.ceil(schedule.iterations / schedule.eval_interval)
    training = schedule.iterations * cost["step"] * (1 + cost.get("save", 0.0) / SECONDS_BETWEEN_SAVES)
    testing = passes * (tested * cost["image"] + cost.get("score", 0.0))
    if isinstance(lr, list):  # each rate is tried (workflow/training/lr_sweep.py)
        training *= 1 + len(lr)
        testing += len(lr) * (HELD_OUT * trained * cost["image"] + cost.get("score", 0.0))
    return schedule.iterations, training, testing


def images(todo: Plan, task: str, found: dict[str, dict[str, int]]) -> Parts:
    """How many images a task instance trains on, and how many it tests on."""
    (train, test), numbers = parts_of(todo.config, task), found[data_name(todo.config, task)]
    known = images(todo, PRETRAIN, found)[1] if task_of(todo.config, task).in_distribution else 0
    return sum(numbers[part] for part in train), numbers[test] + known


def numbers_of(todo: Plan, task: str, found: dict[str, dict[str, int]]) -> dict[str, int]:
    """The counts of a task instance's data; of labelled images, whose parts have other names in each set, those of
    `train` and `test`."""
    trained, tested = images(todo, task, found)
    labelled = task_of(todo.config, task).labelled
    return {"train": trained, "test": tested} if labelled else found[data_name(todo.config, task)]


Units = Callable[[Recipe, Counts], int]


def shared(task: Task, run: PlannedRun) -> list[tuple[SharedArtifact, str, Units]]:
    """What takes time of the folders that a run shares with others, each with its path and its `units`."""
    return [(each, run.shared[each.name], each.units) for each in task.shared if each.units and each.name in run.shared]


def drawings(todo: Plan, costs: dict[Kind, dict[str, Any]], found: dict[str, dict[str, int]]) -> dict[str, Job]:
    """The jobs that draw and check the sets of the config, for which every other one waits."""
    every = {}
    for key, cost in costs.items():
        name = data_name(todo.config, key[0])
        if "drawing" in cost and "root" not in todo.config["data"][name]:
            every[todo.checks[name]] = Job(sum(found[name].values()) * cost["drawing"])
    return every


def jobs(todo: Plan, costs: dict[Kind, dict[str, Any]], found: dict[str, dict[str, int]]) -> dict[str, Job]:
    """All jobs that take long, by the file or folder that they leave."""
    every = drawings(todo, costs, found)
    gates = tuple(every)
    for key, runs in kinds(todo).items():
        task, numbers = task_of(todo.config, key[0]), numbers_of(todo, key[0], found)
        start = costs[key].get("start", 0.0)
        for run in runs:
            _, training, evaluating = spent(task, run, costs[key], images(todo, run.task, found))
            seconds = start + training + evaluating
            if run.task == PRETRAIN:
                every[run.weights] = Job(seconds, gates)
                continue
            needs = [run.weights, *gates]
            for made, folder, units in shared(task, run):
                waits = (*[run.weights] * made.per_backbone, *gates)
                every[folder] = Job(start + units(run.run["recipe"], numbers) * costs[key][made.name], waits)
                needs = [need for need in needs if need not in waits or need in gates] + [folder]
            every[run.record] = Job(seconds, tuple(needs))
    return {name: Job(job.seconds, tuple(need for need in job.needs if need in every)) for name, job in every.items()}


def table(todo: Plan, costs: dict[Kind, dict[str, Any]], found: dict[str, dict[str, int]]) -> list[str]:
    """A line for each kind of run, its hours one by one and all together."""
    lines = [HEADING]
    seen: set[str] = set()  # folders that another kind has a line for
    for key, runs in kinds(todo).items():
        task, numbers, cost = task_of(todo.config, key[0]), numbers_of(todo, key[0], found), costs[key]
        start = cost.get("start", 0.0)
        for made, _, units in shared(task, runs[0]):
            folders = {folder for run in runs for each, folder, _ in shared(task, run) if each == made} - seen
            if not folders:
                continue
            seen |= folders
            number = units(runs[0].run["recipe"], numbers)
            seconds, name = number * cost[made.name], named(todo, (made.name, *key[1:]))
            together = len(folders) * (start + seconds)
            lines.append(row(name, len(folders), cost[made.name], number, seconds, 0, start, together))
        each = [spent(task, run, cost, images(todo, run.task, found)) for run in runs]
        steps, training, testing = each[0]
        whole = sum(start + sum(seconds) for _, *seconds in each)
        lines.append(row(named(todo, key), len(runs), cost.get("step", 0.0), steps, training, testing, start, whole))
    return aligned(lines)


def report(config: dict[str, Any], places: list[int]) -> str:
    """Measure, and say it."""
    todo = plan(config)
    if not todo.jobs:
        return "nothing to run: the records of all runs are stored"
    found = {name: counts(todo.config, name, Path(check)) for name, check in todo.checks.items()}
    with tempfile.TemporaryDirectory() as folder:
        costs = measure(todo, Path(folder))
    few = dict.fromkeys(
        f"{key[0]}: a step of {size} images is measured with {costs[key]['batch']}: a whole one may take a third longer"
        for key, runs in kinds(todo).items()
        if key in costs and (size := runs[0].run["recipe"].get("batch_size")) != costs[key].get("batch", size)
    )
    missing = [named(todo, key) for key in kinds(todo) if key not in costs]
    todo = dataclasses.replace(todo, runs=[run for run in todo.jobs if kind(todo, run) in costs], weights=[])
    every = jobs(todo, costs, found)
    device = next(iter(costs.values()))["device"]
    own = f"each job with {todo.cores} cores of its own"
    each = "a job on each" + f" (not on {todo.resources['gpus']})" * (todo.resources["gpus"] > 1)
    what = f"GPUs, {each}, {own}" if "CPU" not in device else f"jobs at once, {own}"
    spans = {n: makespan(every, n) for n in places}
    together = "; ".join(
        f"{n}: " + (f"{span / 3600:,.1f} h" if span >= 3600 else f"{span / 60:.1f} min") for n, span in spans.items()
    )
    here = usable_cores()
    lines = [f"{todo.experiment}, measured on {device}, with {here} cores at hand"]
    if todo.cores > here:
        lines.append(f"warning: a job is to have {todo.cores} cores (threads + workers): with them it is faster")
    lines += ["", *sizes(todo, found), "", *table(todo, costs, found)]
    lines += ["", *few] * bool(few)
    lines += [f"{name}: not measured, and in no sum: it was killed, often for want of memory" for name in missing]
    return "\n".join([*lines, "", f"The whole of {len(every)} jobs by number of {what}:", together, NOT_COUNTED])


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", required=True, help="config file")
    parser.add_argument("--gpus", type=int, nargs="+", default=[1, 2, 4, 8], help="how many GPUs, or jobs at once")
    args = parser.parse_args()
    if min(args.gpus) < 1:
        parser.error("--gpus: at least 1")
    prepare_jobs(Path(__file__).parents[2])
    print(report(load(args.config), args.gpus))


if __name__ == "__main__":
    main()
