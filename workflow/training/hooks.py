"""What a run keeps and shows while it trains: its history, its progress, its precision.

mmengine's own LoggerHook prints eight columns where a person wants one line with an ETA.
"""

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import Any

import torch
from mmengine.dist import get_rank
from mmengine.hooks import Hook
from mmengine.optim import OptimWrapper
from mmengine.registry import OPTIM_WRAPPERS
from mmengine.runner import Runner
from torch import nn

from workflow.training.distributed.processes import unwrap_model

SECONDS_BETWEEN_LINES = 10.0
POINTS_OF_A_CURVE = 100


def autocast(precision: str) -> torch.autocast:
    """bf16 autocast on the device in use, or none for fp32. bf16 has fp32's range, so no loss scaling is needed."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.autocast(device, dtype=torch.bfloat16, enabled=precision == "bf16")


def learning_rate(optimizer: OptimWrapper) -> float:
    """The schedule's, in use for the iteration until the schedulers step. mmengine's `base_lr` is it where parts of a
    network have rates of their own: the first group may be a slow one."""
    rates = optimizer.get_lr()
    return rates.get("base_lr", rates["lr"])[0]


@OPTIM_WRAPPERS.register_module()
class PrecisionOptimWrapper(OptimWrapper):
    """An OptimWrapper whose forward pass runs in `precision` (mmengine's AmpOptimWrapper refuses a CPU)."""

    def __init__(self, precision: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.precision = precision

    @contextlib.contextmanager
    def optim_context(self, model: torch.nn.Module) -> Iterator[None]:
        """Entered by mmengine around forward and loss."""
        with super().optim_context(model), autocast(self.precision):
            yield


class EvaluationPrecision(Hook):
    """Evaluation runs in the recipe's precision too. This autocast sets the type. mmengine's own around each batch
    takes it over if the loop's `fp16` is on, and is fp32 otherwise.

    An evaluation that ends by an exception does not come to `after_val`: who trains closes `context` then, as torch
    keeps the weights that it has cast for as long as any autocast is open.
    """

    def __init__(self, precision: str) -> None:
        self.precision = precision
        self.context = contextlib.ExitStack()

    def before_val(self, runner: Runner) -> None:
        """Enter autocast."""
        self.context.enter_context(autocast(self.precision))

    def after_val(self, runner: Runner) -> None:
        """Leave it."""
        self.context.close()


class Batches:
    """The training loop's iterator, and the `seconds` that the loop waited for its last batch. On a GPU the device
    itself waits for less: it may still be at work on what was queued."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self.iterator = iterator
        self.seconds = 0.0

    def __next__(self) -> Any:
        start = time.monotonic()
        batch = next(self.iterator)
        self.seconds = time.monotonic() - start
        return batch

    def skip_iter(self, iterations: int) -> None:
        """mmengine's way to go on behind what a resumed run has seen."""
        self.iterator.skip_iter(iterations)


def ends_window(done: int, iterations: int, windows: int) -> bool:
    """Whether the iterations up to `done` end one of the windows that `iterations` are cut into, all of one length but
    for one iteration: a short last one would end a curve of means with a jump."""
    return done * windows // iterations > (done - 1) * windows // iterations


class History(Hook):
    """The curve of a run (`points`: mean loss and rate; `evaluations`: metrics), its `seconds` of training and how many
    of them it waited for data, kept across kills in its state."""

    priority = "LOW"

    def __init__(self, name: str, iterations: int, batch: int) -> None:
        self.name, self.iterations, self.batch = name, iterations, batch
        self.points: list[dict[str, float]] = []
        self.evaluations: list[dict[str, Any]] = []
        self.losses: list[torch.Tensor] = []
        self.seconds = self.waited = 0.0
        self.batches = Batches(iter(()))
        self.shown = self.rate = 0.0

    def before_train(self, runner: Runner) -> None:
        """Start the clocks; say where a resumed run goes on."""
        runner.train_loop.dataloader_iterator = self.batches = Batches(runner.train_loop.dataloader_iterator)
        self.tick = time.monotonic()
        self.first, self.began = runner.iter, self.tick
        if runner.iter:
            self.say(f"resumed at iteration {runner.iter} of {self.iterations}")

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """Keep the rate: after the iteration it is that of the next one."""
        self.rate = learning_rate(runner.optim_wrapper)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Keep the loss; every so often a point of the curve and a line on the terminal."""
        self.losses.append(outputs["loss"].detach())
        done, now = runner.iter + 1, time.monotonic()
        self.seconds, self.tick = self.seconds + now - self.tick, now
        self.waited += self.batches.seconds  # here, where `seconds` grows: a state may be saved with a batch in hand
        if ends_window(done, self.iterations, POINTS_OF_A_CURVE):
            loss = torch.stack(self.losses).mean().item()
            self.points.append({"iteration": done, "loss": loss, "lr": self.rate})
            self.losses.clear()
        if now - self.shown > SECONDS_BETWEEN_LINES or done == self.iterations:
            self.shown = now
            self.line(done, now)

    def line(self, done: int, now: float) -> None:
        """One line: how far, how good, how long still."""
        left = int(self.seconds_left(done, now))
        loss = f"loss {self.points[-1]['loss']:.3f}  " if self.points else ""
        share = f"{done}/{self.iterations}  {100 * done // self.iterations:3d} %"
        self.say(f"{share}  {loss}ETA {left // 3600}:{left // 60 % 60:02d}:{left % 60:02d}")

    def seconds_left(self, done: int, now: float) -> float:
        """At the pace since this attempt began, evaluations included."""
        return (now - self.began) / (done - self.first) * (self.iterations - done)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Keep an evaluation; its time does not count as training time."""
        self.evaluations.append({"iteration": runner.iter, **(metrics or {})})
        numbers = "  ".join(f"{key} {value:.2f}" for key, value in (metrics or {}).items() if isinstance(value, float))
        self.say(f"evaluated at {runner.iter}/{self.iterations}: {numbers}")
        self.tick = time.monotonic()

    def say(self, text: str) -> None:
        """A line on the terminal, marked with the run it belongs to: several runs may share a terminal."""
        if get_rank() == 0:
            print(f"[{self.name}] {text}", flush=True)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """The history is part of the state."""
        kept = {"points": self.points, "evaluations": self.evaluations, "seconds": self.seconds, "waited": self.waited}
        checkpoint["history"] = {**kept, "losses": torch.stack(self.losses).tolist() if self.losses else []}

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Go on where the state was written."""
        kept = checkpoint["history"]
        self.points, self.evaluations, self.seconds = kept["points"], kept["evaluations"], kept["seconds"]
        self.waited = kept["waited"]
        device = next(runner.model.parameters()).device  # where the next ones will be
        self.losses = list(torch.tensor(kept["losses"], device=device))


class LoadWeightsHook(Hook):
    """Give a fresh run its weights: after mmengine has initialised the network, and not again when it resumes."""

    priority = "VERY_HIGH"

    def __init__(self, load: Callable[[nn.Module], None]) -> None:
        self.load = load

    def before_train(self, runner: Runner) -> None:
        """mmengine's hook point after initialisation and resuming."""
        if runner.iter == 0:
            self.load(unwrap_model(runner.model))
