"""Writes every few seconds how far a training is (workflow/planning/progress.py)."""

import time
from pathlib import Path

from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner

from workflow.planning.progress import Progress
from workflow.training.hooks import History

SECONDS_BETWEEN_WRITES = 5.0


class ProgressHook(Hook):
    """Of the first process."""

    priority = "VERY_LOW"  # after the history

    def __init__(self, state: Path, history: History) -> None:
        self.state, self.history = state, history
        self.written = 0.0

    def before_train(self, runner: Runner) -> None:
        """A resumed run shows at once where it is."""
        self.began, self.trained = runner.iter, self.history.seconds
        self.write(runner.iter)

    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: dict | None = None, outputs: dict | None = None
    ) -> None:
        """Every so often."""
        if time.monotonic() - self.written >= SECONDS_BETWEEN_WRITES:
            self.write(runner.iter + 1)

    def before_val(self, runner: Runner) -> None:
        """An evaluation may take long."""
        self.write(runner.iter, evaluating=True)

    def after_val(self, runner: Runner) -> None:
        """It is over."""
        self.write(runner.iter)

    def write(self, done: int, evaluating: bool = False) -> None:
        """The speed is that of this attempt."""
        if not is_main_process():
            return
        self.written = time.monotonic()
        passed, history = done - self.began, self.history
        speed = passed * history.batch / max(history.seconds - self.trained, 1e-9)
        left = history.seconds_left(done, self.written) if passed else 0.0
        Progress(done, history.iterations, evaluating, speed, left, time.time()).write(self.state)
