"""Being asked to end: SIGTERM (a scheduler wants the node back) and SIGINT (Ctrl-C, which all processes get)."""

import contextlib
import ctypes
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

ASKING = (signal.SIGTERM, signal.SIGINT)
PR_SET_PDEATHSIG = 1  # of <linux/prctl.h>
Handler = Callable[[int, FrameType | None], Any]


class Interrupted(BaseException):
    """The process was asked to end. No library's `except Exception` keeps it from that."""

    def __init__(self, number: int, what: str = "what it had not finished is done again by the same command") -> None:
        super().__init__(f"by {signal.Signals(number).name}: {what}")
        self.status = 128 + number  # as shells have it


def stop_now(number: int, frame: FrameType | None = None) -> None:
    """A signal handler for where nothing is lost by ending right here."""
    raise Interrupted(number)


def set_handlers(handler: Handler | signal.Handlers) -> list[Any]:
    """Set the handler of both signals; what handled them before."""
    return [signal.signal(number, handler) for number in ASKING]


def leave_to_parent() -> None:
    """For a helping process: what its parent is asked is no matter of its own, and it does not outlive it."""
    set_handlers(signal.SIG_IGN)
    die_with_parent()


def die_with_parent() -> None:
    """Whatever ends the process that started this one ends this one too, on Linux: other kernels have no such call."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


@contextlib.contextmanager
def handling(handler: Handler) -> Iterator[None]:
    """Call `handler(number, frame)` for each such signal inside the block. Only a main thread can have it so."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = set_handlers(handler)
    try:
        yield
    finally:
        for number, was in zip(ASKING, before, strict=True):
            signal.signal(number, was)
