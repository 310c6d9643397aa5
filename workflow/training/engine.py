"""One engine for the three tasks: mmengine's Runner, by iterations, resumed exactly.

A task says what is trained (model, loaders, evaluator, optimizer); how often, how fast and in which precision comes
from the recipe. Checked: a run killed at any iteration and started again ends with the same bits (tests).
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from mmengine.config import Config
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.runner import Runner

from workflow.core.signals import Interrupted, handling
from workflow.planning.run_spec import RunSpec
from workflow.planning.schedule import Schedule
from workflow.training.cpu_convs import channels_last
from workflow.training.distributed import processes
from workflow.training.hooks import EvaluationPrecision, History, LoadWeightsHook
from workflow.training.precision import configure_torch
from workflow.training.progress import ProgressHook
from workflow.training.resume.checkpointing import ResumeCheckpointHook, newest
from workflow.training.resume.interrupts import CheckFiniteLossHook, StopOnSignalHook, guard_workers
from workflow.training.resume.load_state import ResumableRunner
from workflow.training.seeding import SeedHook, seed_everything
from workflow.training.tracking import tracked

LOADERS = ("train_dataloader", "val_dataloader")


class PlainConfig(Config):
    """mmengine formats a config's text as a program, four times a run: of a detector's that takes seconds."""

    @property
    def pretty_text(self) -> str:
        """For the log and the state, which nobody reads."""
        return str(self.to_dict())


@dataclass(frozen=True)
class TrainResult:
    """What a finished training leaves: the network, its curve, and the evaluation of the last iteration (law 2)."""

    model: torch.nn.Module
    budget: Schedule
    points: list[dict[str, float]]
    evaluations: list[dict[str, Any]]
    seconds: float
    images_per_second: float
    data_wait: float  # share of the seconds
    images: int  # that were trained on: a data set may leave some out

    @property
    def metrics(self) -> dict[str, Any]:
        """The evaluation of the last iteration."""
        return {key: value for key, value in self.evaluations[-1].items() if key != "iteration"}


def schedule(recipe: dict[str, Any], budget: Schedule) -> list[dict[str, Any]]:
    """Linear warm-up, from 1 % of the rate in the first of `warmup` iterations to all of it in the last (so 1 is as 0);
    x 0.1 at each step. By iterations."""
    drops = {"type": "MultiStepLR", "by_epoch": False, "milestones": budget.milestones, "gamma": 0.1}
    if recipe.get("warmup_iters", 0) < 2:  # mmengine's ramp of one iteration has no step, and stays at 1 %
        return [drops]
    warmup = {"type": "LinearLR", "by_epoch": False, "start_factor": 0.01, "begin": 0, "end": recipe["warmup_iters"]}
    return [warmup, drops]


def runner_config(run: RunSpec, task: dict[str, Any], budget: Schedule, state: Path) -> Config:
    """The Runner's config: the task's part and what the engine owns."""
    task, train = dict(task), task["train_dataloader"]
    task["train_dataloader"] = train | {"batch_size": train["batch_size"] // get_world_size()}
    found = processes.broadcast_from_main(lambda: newest(state, run.name))
    scope = task.pop("default_scope", "mmengine")
    optimizer = {"type": "PrecisionOptimWrapper", "precision": run.recipe["precision"], **task.pop("optim_wrapper")}
    loading = {"worker_init_fn": {"type": "data_worker"}}
    loading["pin_memory"] = torch.cuda.is_available()  # so that the device need not wait for a copy
    loaders = {name: task[name] | loading for name in LOADERS}
    return PlainConfig(
        {
            **task,
            **loaders,
            "default_scope": scope,
            "work_dir": str(state / "log"),
            "launcher": "pytorch" if get_world_size() > 1 else "none",
            "model_wrapper_cfg": {"type": "ChannelsLastDDP"},
            "experiment_name": uuid.uuid4().hex,  # mmengine keeps global state under this name: never share it
            "optim_wrapper": optimizer,
            "param_scheduler": schedule(run.recipe, budget),
            "train_cfg": {
                "type": "IterBasedTrainLoop",
                "max_iters": budget.iterations,
                "val_interval": budget.eval_interval,
            },
            "val_cfg": {"type": "ValLoop", "fp16": run.recipe["precision"] == "bf16"},  # else it forbids any autocast
            "resume": found is not None,
            "load_from": found and str(found),
            "default_hooks": dict.fromkeys(["runtime_info", "timer", "logger", "checkpoint", "sampler_seed"]),
            "randomness": {"seed": run.seed},
            "env_cfg": {"mp_cfg": {"mp_start_method": "fork", "opencv_num_threads": 0}},
            "log_level": "ERROR",
        }
    )


def train(runner: Runner, run: RunSpec, saved: ResumeCheckpointHook, ending: StopOnSignalHook) -> None:
    """To the end, or until a signal asks for less: then the state is written, and Stopped says where."""
    with guard_workers(run.name, run.workers), handling(ending.ask):
        try:
            runner.train()
        except Interrupted:
            if not ending.training:
                raise
            saved.save(runner)
            saved.writer.wait()
            where = f"iteration {runner.iter} of {runner.max_iters}"
            what = f"{run.name} has kept its state of {where}, where the same command goes on"
            raise Interrupted(ending.asked, what) from None
        finally:
            saved.writer.close()
            for handler in list(runner.logger.handlers):  # on NFS, a folder with an open file cannot be removed
                handler.close()
                runner.logger.removeHandler(handler)  # mmengine writes into the last logger's files whatever comes next


def fit(
    run: RunSpec,
    task: dict[str, Any],
    samples: int,
    state: Path,
    start: Callable[[torch.nn.Module], None] | None = None,
    more: Sequence[Hook] = (),
    last: bool = True,
) -> TrainResult:
    """Train `task` (a mmengine config dict: model, loaders, evaluator, optim_wrapper) to its end and return it.

    `samples` is the size of the training set, `state` the folder of the resume state (`.work/<hash>`), `start` gives
    a fresh network its weights, `more` are hooks that watch. A state found there is resumed: no data already seen are
    loaded again. Of several processes the first alone returns; all do if this is not the `last` training of the run.
    """
    configure_torch(run.threads)
    cv2.setNumThreads(0)
    budget = Schedule.of(run.recipe, samples)
    state.mkdir(parents=True, exist_ok=True)
    seed_everything(run.seed, "init")
    runner = ResumableRunner.from_cfg(runner_config(run, task, budget, state))
    channels_last(runner.model)
    history = History(run.name, budget.iterations, run.recipe["batch_size"])
    saved, ending = ResumeCheckpointHook(state, history), StopOnSignalHook()
    evaluating = EvaluationPrecision(run.recipe["precision"])
    hooks = [SeedHook(run.seed), evaluating, history, saved, ending]
    with tracked(run, state, history) as tracking, evaluating.context:
        watching = [CheckFiniteLossHook(run.name, state), ProgressHook(state, history), *tracking, *more]
        for hook in [LoadWeightsHook(start)] * (start is not None) + hooks + watching:
            runner.register_hook(hook)
        train(runner, run, saved, ending)
    waited = processes.reduce_mean(history.waited, "max")  # all wait for the slowest
    if last:
        processes.part()
    speed = budget.iterations * run.recipe["batch_size"] / max(history.seconds, 1e-9)
    return TrainResult(
        processes.unwrap_model(runner.model),
        budget,
        history.points,
        history.evaluations,
        history.seconds,
        speed,
        waited / max(history.seconds, 1e-9),
        len(runner.train_dataloader.dataset),
    )
