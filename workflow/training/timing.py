"""What a step and a test image of a run cost here: a short training with the run's own network, recipe and loaders."""

import dataclasses
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from mmengine.runner import Runner

from workflow.core.files import write_json
from workflow.planning.run_spec import RunSpec
from workflow.training.engine import fit
from workflow.training.hooks import History, autocast
from workflow.training.resume.checkpointing import ResumeCheckpointHook

WARM, MOST = 2, 100  # steps: not timed; timed at most
SECONDS = 10.0  # of timed steps are enough, and of timed test images: where a step takes as long, one
PIXELS = 16 * 224**2  # that a CPU is given at once: with as many, a step takes about as long as its images
LEAST = 2  # images of a batch: one is not enough for batch norm
Cost = Callable[[RunSpec, Path, Path, str], dict[str, float]]


def shortened(run: RunSpec) -> RunSpec:
    """The run without an end of its own and with a rate of 0: an untrained network stays finite and costs the same. A
    run that trains nothing is as it was."""
    if "eval_interval" not in run.recipe:
        return run
    kept = {key: value for key, value in run.recipe.items() if key != "epochs"}
    no_end = {"iterations": WARM + MOST + 1, "eval_interval": 0, "milestones": [], "warmup_iters": 0, "lr": 0.0}
    return dataclasses.replace(run, recipe=kept | no_end)


def few_images(run: RunSpec, side: int) -> RunSpec:
    """The run as a CPU measures it, with a batch of PIXELS at most where an image has `side` px squared: hundreds of
    photos at once take minutes a step, and more memory than a machine has. A GPU is given the whole batch."""
    if torch.cuda.is_available():
        return run
    most = max(LEAST, PIXELS // side**2)
    return dataclasses.replace(run, recipe=run.recipe | {"batch_size": min(run.recipe["batch_size"], most)})


def now() -> float:
    """Seconds, when the device is done with what was asked of it."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.monotonic()


class Clock(Hook):
    """Ends a training after enough steps, then passes the test images through the network; scores nothing."""

    priority = "LOWEST"

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.ends: list[float] = []
        self.image = self.save = self.timed = 0.0

    @property
    def step(self) -> float:
        """Seconds of a step, loading included."""
        return (self.ends[-1] - self.ends[WARM - 1]) / (len(self.ends) - WARM)

    def before_train(self, runner: Runner) -> None:
        """The lines on the terminal count to where this training ends, not to where its run does."""
        self.begun = now()
        self.history = next(hook for hook in runner.hooks if isinstance(hook, History))
        self.history.iterations = WARM + 1

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Enough? The first timed step tells how many there will be."""
        self.ends.append(now())
        if len(self.ends) == WARM + 1:
            self.history.iterations = WARM + min(MOST, math.ceil(SECONDS / self.step))
        runner.train_loop.stop_training = len(self.ends) == self.history.iterations

    def after_train(self, runner: Runner) -> None:
        """A save, and the test images; the first batch is not timed."""
        saved, start = next(hook for hook in runner.hooks if isinstance(hook, ResumeCheckpointHook)), now()
        saved.save(runner)
        self.save = now() - start
        saved.writer.wait()
        runner.model.eval()
        loader, ends = runner.val_loop.dataloader, []
        with torch.no_grad(), autocast(self.precision):
            for batch in loader:
                runner.model.val_step(batch)
                ends.append(now())
                if ends[-1] - ends[0] >= SECONDS:
                    break
        passed = min(len(ends) * loader.batch_size, len(loader.dataset))
        self.image = (ends[-1] - ends[0]) / (passed - loader.batch_size)
        self.timed = ends[-1] - self.begun


def measure(
    run: RunSpec,
    task: dict[str, Any],
    samples: int,
    state: Path,
    start: Callable[[torch.nn.Module], None] | None = None,
) -> dict[str, float]:
    """Seconds of a step, whose images are `batch`, of a test image (more than one batch of whole ones is needed), for
    which a save stops the training (`save`), and of all that is timed (`timed`): what else the process takes is the
    start of a job.

    `run` is a shortened one; all else as in `fit`.
    """
    clock = Clock(run.recipe["precision"])
    fit(run, task, samples, state, start, [clock])
    batch = run.recipe["batch_size"]
    return {"step": clock.step, "batch": batch, "image": clock.image, "save": clock.save, "timed": clock.timed}


def device(run: RunSpec) -> str:
    """What the seconds of a run were measured on."""
    return torch.cuda.get_device_name() if torch.cuda.is_available() else f"CPU, {run.threads} threads"


def write_cost(cost: Cost, run: RunSpec, check_file: Path, out: Path, network: str) -> None:
    """Write the seconds of a run to `out`/cost.json: of a step (`step`) of `batch` images, of a test image (`image`),
    and of a unit of each shared artifact (its name); of an evaluation's scoring (`score`), of a save, of all that was
    timed.

    Args:
        cost: function(shortened run, check of its data, a folder to work in, name of the network) that gives them.
    """
    seconds = cost(shortened(run), check_file, out, network)
    write_json(out / "cost.json", seconds | {"device": device(run)})
