"""A learning rate of its own for each run: of those that the recipe lists, the one that is best on held-out training
images. The sweep is the same for every row, as it is a part of the recipe; what was chosen stands in the record."""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from math import isfinite, nan
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.dist import is_main_process

from workflow.contracts import Metric
from workflow.core.errors import UserError
from workflow.planning.run_spec import RunSpec
from workflow.training.distributed import processes
from workflow.training.engine import TrainResult
from workflow.training.resume.interrupts import diverged
from workflow.training.resume.parts import FinishedParts

DIVERGED = "diverged"
Train = Callable[[RunSpec, Path], TrainResult]


@dataclass(frozen=True)
class Sweep:
    """What a run trains with.

    Args:
        run: with one learning rate.
        protocol: how it was chosen, for the record's protocol; empty where the recipe has one rate.
        more: `chosen`, for the record; empty as well.
    """

    run: RunSpec
    protocol: dict[str, str] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def choose_lr(run: RunSpec, of: Mapping[str, Any], state: Path, metric: Metric, train: Train) -> Sweep:
    """The run with the best of its learning rates; of equals, the lowest. With one rate, the run as it is.

    Args:
        run: its recipe has `lr`, a number or a list.
        of: what the run is made of (workflow/training/record.py).
        state: folder of the run's state, in which each rate has a folder while it is tried. A rate that an earlier
            attempt has tried is not tried again.
        metric: of the held-out images, which decides.
        train: function(run with one rate, folder of its state) that trains without the held-out images and is scored on
            them. It returns in every process.
    """
    if not isinstance(run.recipe["lr"], list):
        return Sweep(run)
    parts = FinishedParts(state, of, run.name) if is_main_process() else None
    tried = [state / f"lr-{place}" for place in range(len(run.recipe["lr"]))]
    scores = {
        lr: _score(_with(run, lr), folder, parts, metric, train)
        for lr, folder in zip(run.recipe["lr"], tried, strict=True)
    }
    return _best(run, scores, metric)


def _best(run: RunSpec, scores: Mapping[float, float], metric: Metric) -> Sweep:
    """Of the rates with a finite score."""
    finite = {lr: score for lr, score in scores.items() if isfinite(score)}
    if not finite:
        raise UserError(f"{run.name}: no learning rate of {run.recipe['lr']} keeps the loss finite; try lower ones")
    sign = 1 if metric.better == "lower" else -1
    best = min(finite, key=lambda lr: (sign * finite[lr], lr))
    told = {f"{lr:g}": score if lr in finite else DIVERGED for lr, score in scores.items()}
    if is_main_process():
        shown = [f"{lr:g}: {f'{finite[lr]:.{metric.digits}f}' if lr in finite else DIVERGED}" for lr in scores]
        what = f"{metric.name} on held-out training images"
        print(f"[{run.name}] lr {best:g} is taken ({what}: {', '.join(shown)})", flush=True)
    words = f"best of {len(scores)} by {metric.name} on held-out training images"
    return Sweep(_with(run, best), {"lr": words}, {"chosen": {"lr": best, "held_out": told}})


def _with(run: RunSpec, lr: float) -> RunSpec:
    return replace(run, recipe=run.recipe | {"lr": lr})


def _score(run: RunSpec, folder: Path, parts: FinishedParts | None, metric: Metric, train: Train) -> float:
    """Of the held-out images. The first process alone reads and keeps."""
    known = processes.broadcast_from_main(lambda: parts and parts.read(folder.name))
    if known is None:
        if parts:
            print(f"[{run.name}] lr {run.recipe['lr']:g}, without the held-out training images:", flush=True)
        one = replace(run, recipe=run.recipe | {"eval_interval": 0}, tracking={}, keep_network=False)
        known = {"score": np.array(_tried(one, folder, metric, train))}
        if parts:
            parts.keep(folder.name, known)
            shutil.rmtree(folder)
    return processes.broadcast_from_main(lambda: float(known["score"]))


def _tried(run: RunSpec, folder: Path, metric: Metric, train: Train) -> float:
    """The score; NaN where the loss is not finite on the way: a rate that is too high is no reason to end."""
    try:
        return float(train(run, folder).metrics[metric.name])
    except UserError:
        if diverged(folder).exists():
            return nan
        raise
