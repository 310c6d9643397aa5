"""Waits that end, whatever does not happen."""

import contextlib
import os
import signal
import subprocess
import threading

PATIENCE = 1500.0  # s; on a busy machine a start alone may take minutes


def told(process: subprocess.Popen, word: str, patience: float = PATIENCE) -> str:
    """The next line of a process that holds a word. One that does not say it for so long is killed, and what it started
    too where it leads a group."""
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
    """Kill it."""
    with contextlib.suppress(ProcessLookupError):
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
