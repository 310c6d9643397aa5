"""Writes resume states in a thread, one at a time, while the training goes on with the next iterations.

The training only waits for a copy of its state in the memory of the host. Pickling, hashing and flushing leave Python's
lock to it: the bytes are hashed as they are written.
"""

import contextlib
import copy
import hashlib
import os
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import torch

from workflow.training.resume import attempts

KEPT = 2
PART = "state.part"


def states(folder: Path) -> list[Path]:
    """The states in `folder`, the oldest first."""
    return sorted(folder.glob("[0-9]*-[0-9a-f]*.pth"))


def host_copy(content: Any) -> Any:
    """A copy of a state that no later iteration changes.

    Args:
        content: tensors and plain data in dicts, lists and tuples.

    Returns:
        The same, in memory of the host: of a GPU in pinned memory, where it only is after `torch.cuda.synchronize`.
    """
    if isinstance(content, torch.Tensor):
        return content.to("cpu", non_blocking=True) if content.is_cuda else content.clone()
    if isinstance(content, dict):
        copied = copy.copy(content)  # that of the weights has their versions as an attribute
        for key, value in content.items():  # `update` of a Counter would add
            copied[key] = host_copy(value)
        return copied
    if isinstance(content, list | tuple):
        return type(content)(map(host_copy, content))
    return copy.deepcopy(content)


class HashingFile:
    """A file to write to, and the SHA-256 of what was written."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.sha256 = file, hashlib.sha256()

    def write(self, content: bytes | memoryview) -> int:
        """As torch.save asks for it."""
        self.sha256.update(content)
        return self.file.write(content)

    def flush(self) -> None:
        """Likewise."""
        self.file.flush()


def write_state(content: dict[str, Any], folder: Path) -> None:
    """Write to a temporary name, flush, rename, and remove all but the last two."""
    before, part = states(folder), folder / PART
    number = int(before[-1].name.partition("-")[0]) + 1 if before else 1
    try:
        with part.open("wb") as file:
            hashing = HashingFile(file)
            torch.save(content, hashing)
            file.flush()
            os.fsync(file.fileno())
        attempts.keep(folder)
        part.replace(folder / f"{number:06d}-{hashing.sha256.hexdigest()}.pth")
    finally:
        part.unlink(missing_ok=True)  # a full disk needs it back
    for old in before[: 1 - KEPT]:
        old.unlink()


class StateWriter:
    """Writes the states of a training into `folder`. What fails in its thread is raised where the training looks after
    it: at the next `check`, `write` or `wait`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.thread = ThreadPoolExecutor(1, "state")
        self.pending: Future[None] | None = None

    def write(self, content: dict[str, Any]) -> None:
        """Copy a state and begin to write it, when the one before it is written."""
        self.wait()
        copied = host_copy(content)
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        self.pending = self.thread.submit(write_state, copied, self.folder)

    def check(self) -> None:
        """Raise what has failed, without waiting."""
        if self.pending and self.pending.done():
            self.wait()

    def wait(self) -> None:
        """Until the state is on the disk, or raise why it is not."""
        if self.pending:
            self.pending.result()
            self.pending = None

    def close(self) -> None:
        """Let the thread end, whatever has ended the training: nothing is written to a folder that is not locked."""
        with contextlib.suppress(BaseException):
            self.wait()
        self.thread.shutdown()
