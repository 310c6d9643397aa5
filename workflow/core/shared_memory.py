"""/dev/shm, over which processes hand each other what they have loaded: what a full or a missing one is told as."""

import os
import re
import sys
import traceback

PLACE = "/dev/shm"
CURE = "a container gets more by --shm-size=8g"
# torch: cannot write its file there, cannot enlarge it, a process was killed as it wrote into what it was promised.
FULL = re.compile(r"</?torch_|shared memory|signal: Bus error")


def missing() -> str:
    """What is wrong where there is none that can be written, in one line with the cure; empty where there is."""
    if sys.platform != "linux" or os.access(PLACE, os.W_OK | os.X_OK):
        return ""
    return f"{PLACE} is missing or cannot be written, and processes that load images need it; {CURE}"


def fault(error: BaseException) -> str:
    """What is wrong with it, in one line with the cure, if that is what an error of torch or multiprocessing says; else
    empty. torch calls it a file without a disk's name, multiprocessing names no file."""
    if not FULL.search(str(error)) and not (isinstance(error, OSError) and asked_for_semaphore(error)):
        return ""
    stat = os.statvfs(PLACE)
    size = stat.f_frsize * stat.f_blocks / 1e6
    return f"{PLACE} is full, over which processes hand over what they have loaded: it has {size:.1f} MB; {CURE}"


def asked_for_semaphore(error: BaseException) -> bool:
    """Whether multiprocessing failed to make one: they lie there too."""
    files = (frame.filename for frame in traceback.extract_tb(error.__traceback__))
    return any(file.endswith("multiprocessing/synchronize.py") for file in files)
