"""Waits that end, whatever does not happen."""

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path

PATIENCE = 1500.0  # s; on a busy machine a start alone may take minutes


def read_line(process: subprocess.Popen, word: str, patience: float = PATIENCE) -> str:
    """The next line of a process that holds a word. One that does not say it for so long is killed with all that it
    started, which could hold its output open."""
    watch = threading.Timer(patience, end, [process])
    watch.start()
    try:
        for line in process.stdout:
            if word in line:
                return line
    finally:
        watch.cancel()
    raise AssertionError(f"the job ended, or was ended after {patience:.0f} s, without saying {word}")


def end(process: subprocess.Popen) -> None:
    """Kill it and all below it."""
    if process.poll() is None:
        below = list(descendants(process.pid))
        process.kill()
        for each in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


def descendants(process: int) -> Iterable[int]:
    """The numbers of all processes below one."""
    for child in children(process):
        yield child
        yield from descendants(child)


def children(process: int) -> list[int]:
    """Those that its main thread has started; none of a process that is gone."""
    try:
        return [int(word) for word in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


def gone(processes: Iterable[int], patience: float = 120.0) -> bool:
    """Whether they end soon: one that has been killed takes its time on a busy machine."""
    until = time.monotonic() + patience
    waited = list(processes)
    while waited := [process for process in waited if runs(process)]:
        if time.monotonic() > until:
            return False
        time.sleep(0.02)
    return True


def runs(process: int) -> bool:
    """A dead one may still wait for its new parent to notice."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
