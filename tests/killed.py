"""A training in this process that ends as by a kill. In processes of their own: tests/kills.py."""

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from workflow.training.hooks import History
from workflow.training.resume import checkpointing


class Killed(BaseException):
    """As from outside: no handler of the run's own sees it."""


@contextlib.contextmanager
def killed_after(iteration: int, seconds_between_saves: float | None = 0.0) -> Iterator[None]:
    """The training in this block dies in iteration `iteration` + 1, when its step is over and its state not written;
    before, states are saved in each, or as ever if `seconds_between_saves` is None."""
    after = History.after_train_iter

    def die(self: History, runner: Any, *args: Any, **kwargs: Any) -> None:
        after(self, runner, *args, **kwargs)
        if runner.iter == iteration:
            raise Killed

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Killed):
        if seconds_between_saves is not None:
            patch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", seconds_between_saves)
        patch.setattr(History, "after_train_iter", die)
        yield
