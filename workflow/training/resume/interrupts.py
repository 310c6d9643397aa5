"""How a training ends before its time: it is asked to, its loss is no number any more, or one of its processes dies."""

import contextlib
import multiprocessing
import multiprocessing.util
import signal
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from mmengine.dist import get_world_size
from mmengine.hooks import Hook
from mmengine.registry import FUNCTIONS
from mmengine.runner import Runner

from workflow.core import shared_memory
from workflow.core.errors import UserError
from workflow.core.files import atomic
from workflow.core.signals import Interrupted, leave_to_parent, set_handlers
from workflow.training.hooks import learning_rate

CHECKED_TOGETHER = 10  # losses on a GPU, which would have to be waited for
SHOWN = 8  # file names in a message


class StopOnSignalHook(Hook):
    """Raises Stopped when a signal has asked for it: between two iterations, and at once in an evaluation or while it
    waits for data, as the network does not change there. It stands between the loop and its data for that."""

    priority = "VERY_HIGH"

    def __init__(self) -> None:
        self.asked = 0  # the signal
        self.training = self.busy = False
        self.iterator: Any = iter(())
        self.group: Any = None

    def ask(self, number: int, frame: FrameType | None = None) -> None:
        """The signal handler. Whoever asks again is not heard: the state is being written."""
        if not self.asked:
            self.asked = number
            if not self.busy:
                raise Interrupted(number)

    def before_train(self, runner: Runner) -> None:
        """Several processes have to stop at the same iteration, or they wait for each other."""
        self.training, self.busy = True, get_world_size() > 1
        self.iterator, runner.train_loop.dataloader_iterator = runner.train_loop.dataloader_iterator, self
        if self.busy:
            self.group = torch.distributed.new_group(backend="gloo")

    def __next__(self) -> Any:
        self.rest()
        batch = next(self.iterator)
        self.busy = True
        return batch

    def skip_iter(self, iterations: int) -> None:
        """mmengine's way to go on behind what a resumed run has seen."""
        self.iterator.skip_iter(iterations)

    def before_val(self, runner: Runner) -> None:
        """mmengine's hook point."""
        self.rest()

    def before_val_epoch(self, runner: Runner) -> None:
        """Processes that wait for each other while they evaluate would not hear a signal for long: it ends them at
        once, by the state that was written just before."""
        if self.group is not None:
            set_handlers(signal.SIG_DFL)
            if self.asked:
                raise Interrupted(self.asked)

    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """mmengine's hook point."""
        if self.group is not None:
            set_handlers(self.ask)

    def after_train(self, runner: Runner) -> None:
        """mmengine's hook point."""
        self.rest()

    def rest(self) -> None:
        """The network is whole here. Of several processes, one that is asked while they agree goes on with the others
        to the next time."""
        self.busy = self.group is not None
        asked = torch.tensor(self.asked)
        if self.group is not None:
            with contextlib.suppress(RuntimeError):  # another process has gone already
                torch.distributed.all_reduce(asked, torch.distributed.ReduceOp.MAX, self.group)
        if asked:
            self.asked = int(asked)
            raise Interrupted(self.asked)


class CheckFiniteLossHook(Hook):
    """Ends a run at the first loss that is not finite, before anything of it is saved, with what went into it. The
    reason stays in the state's folder, so that the same run does not begin again."""

    def __init__(self, name: str, state: Path) -> None:
        self.name, self.state = name, state
        self.losses: list[tuple[int, float, torch.Tensor]] = []  # iteration, rate, loss: not looked at yet
        self.together = 1

    def before_train(self, runner: Runner) -> None:
        """A CPU has nothing to wait for."""
        if next(runner.model.parameters()).is_cuda:
            self.together = CHECKED_TOGETHER

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """mmengine's hook point, before the rate moves on."""
        loss = outputs["loss"].detach()
        self.losses.append((runner.iter, learning_rate(runner.optim_wrapper), loss))
        if len(self.losses) >= self.together:
            self.check(runner)

    def before_val(self, runner: Runner) -> None:
        """mmengine's hook point."""
        self.check(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """No state is written over a good one."""
        self.check(runner)

    def check(self, runner: Runner) -> None:
        """UserError for the first one."""
        if not self.losses:
            return
        finite = torch.stack([loss for _, _, loss in self.losses]).isfinite().tolist()
        if not all(finite):
            self.fail(runner, *self.losses[finite.index(False)][:2])
        self.losses.clear()

    def fail(self, runner: Runner, iteration: int, rate: float) -> None:
        """Say it, and leave it for the next attempt."""
        loader, reason = runner.train_dataloader, diverged(self.state)
        names = [loader.dataset.name(index) for index in loader.sampler.batch_of(iteration)]
        shown = ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")
        message = (
            f"{self.name}: the loss is not finite at iteration {iteration + 1} (learning rate {rate:.2g}), on {shown}; "
        )
        message += f"nothing is published. The same recipe is not tried again unless {reason} is removed"
        with atomic(reason) as temporary:
            temporary.write_text("\n".join([message, *names, ""]), encoding="utf-8", errors="backslashreplace")
        raise UserError(message)


def diverged(state: Path) -> Path:
    """Where a loss that was not finite is kept: the message, then the files of its batch."""
    return state / "diverged.txt"


@FUNCTIONS.register_module()
def data_worker(worker_id: int) -> None:
    """What a process that loads data begins with."""
    leave_to_parent()


def worker_crash(error: BaseException, workers: int) -> str:
    """What a loader's error says of a process that died; empty if it says something else. One that dies while it hands
    over a batch is only noticed by the broken pipe; what fails inside of one comes as "Caught ..."."""
    said = str(error)
    if isinstance(error, RuntimeError) and said.startswith("DataLoader worker"):
        return said.split(". ")[0].rstrip(". ")
    broken = workers and isinstance(error, EOFError | ConnectionError) and not said.startswith("Caught")
    return "DataLoader worker died" if broken else ""


def peer_lost(error: BaseException) -> bool:
    """Whether an error says that another process of the same training has gone."""
    return get_world_size() > 1 and ("gloo/transport" in str(error) or isinstance(error, torch.distributed.DistError))


@contextlib.contextmanager
def guard_workers(name: str, workers: int) -> Iterator[None]:
    """A process that loads data and dies is a UserError, within seconds; in the end none of them is left."""
    if workers:
        if what := shared_memory.missing():
            raise UserError(f"{name}: {what}, and `workers: 0` does without it")
        multiprocessing.util.get_temp_dir()  # one for all, which goes with this process; theirs would be left behind
    try:
        yield
    except BaseException as error:
        with deaf():
            explain(error, name, workers)
        raise
    finally:
        end_workers()


def explain(error: BaseException, name: str, workers: int) -> None:
    """UserError, if what ended a training is known."""
    if workers and (what := shared_memory.fault(error)):
        raise UserError(
            f"{name}: {what}, and `workers: 0` does without it. The same command goes on where it was"
        ) from None
    if what := worker_crash(error, workers):
        cause = "often the machine is out of memory: fewer `workers` take less"
        raise UserError(f"{name}: {what}; {cause}. The same command goes on where it was") from None
    if peer_lost(error):
        what = "another of its processes has ended"
        raise UserError(f"{name}: {what}; the same command goes on where it was") from None


@contextlib.contextmanager
def deaf() -> Iterator[None]:
    """Without torch's handler of SIGCHLD, which raises wherever Python is: the broken pipe of a process that died is
    often noticed first, and the handler's error would then replace what is being said of it."""
    was = signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, was)


def end_workers() -> None:
    """They do not hear the SIGTERM with which multiprocessing asks its processes at the end of a program, and it would
    wait for them for ever wherever something still holds their loader."""
    with deaf():
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
