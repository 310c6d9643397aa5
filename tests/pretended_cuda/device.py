"""What a pretended device knows: which memory lies on it, its random generator, and what the host has asked of it."""

import functools
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.multiprocessing.reductions import StorageWeakRef

CPU, CUDA = torch.device("cpu"), torch.device("cuda", 0)
DEVICE, PINNED = "device", "pinned"  # what is noted of a storage; of plain host memory nothing is
SITE = Path(torch.__file__).parents[1]
PURGE = 10_000  # notes, after which those of freed storages are dropped


def tensors(tree: Any) -> list[torch.Tensor]:
    """All tensors in nested containers, as operations take and give them (torch's pytree is a third of the time)."""
    if isinstance(tree, torch.Tensor):
        return [tree]
    if isinstance(tree, dict):
        tree = tree.values()
    elif not isinstance(tree, list | tuple):
        return []
    return [tensor for branch in tree for tensor in tensors(branch)]


def is_cuda(device: Any) -> bool:
    """Whether a `device` argument (str, number, torch.device or None) names the device."""
    if device is None or isinstance(device, torch.Tensor):
        return False
    return isinstance(device, int) or torch.device(device).type == "cuda"


class Memory:
    """The place of each storage. Views share their storage, and so their place."""

    def __init__(self) -> None:
        self.notes: dict[int, tuple[StorageWeakRef, str]] = {}

    @staticmethod
    def storage(thing: Any) -> StorageWeakRef:
        """Of a tensor, or of a storage."""
        return StorageWeakRef(thing.untyped_storage() if isinstance(thing, torch.Tensor) else thing)

    def place(self, thing: Any) -> str | None:
        """DEVICE, PINNED, or None."""
        reference, place = self.notes.get(self.storage(thing).cdata, (None, None))
        return None if reference is None or reference.expired() else place

    def on_device(self, thing: Any) -> bool:
        """Whether a tensor or a storage lies on the device."""
        return self.place(thing) == DEVICE

    def put(self, thing: Any, place: str | None) -> Any:
        """Note the place of a tensor's storage; returns the tensor."""
        reference = self.storage(thing)
        self.notes.pop(reference.cdata, None)
        if place:
            self.notes[reference.cdata] = reference, place
        if len(self.notes) % PURGE == 0:
            self.notes = {key: note for key, note in self.notes.items() if not note[0].expired()}
        return thing


@functools.cache
def is_library(filename: str) -> bool:
    """Whether a line of this file is not what asked for an operation: torch, this package, what Python runs itself."""
    path = Path(filename)
    own = path.parent == Path(__file__).parent or filename.startswith("<")
    return own or path.is_relative_to(SITE / "torch") or path.name in ("contextlib.py", "functools.py")


def caller() -> str:
    """`folder/file.py:line` of the innermost line that asked for what is happening. In a backward pass: its call."""
    frame = sys._getframe(1)
    while frame and is_library(frame.f_code.co_filename):
        frame = frame.f_back
    path = Path(frame.f_code.co_filename)
    return f"{'/'.join(path.parts[-3:])}:{frame.f_lineno}"


@dataclass
class Costs:
    """What the device did and where the host waited for it, by line of code.

    `kernels`: line to number of kernels; `waits`: (reason, line) to number of waits.
    """

    kernels: Counter[str] = field(default_factory=Counter)
    waits: Counter[tuple[str, str]] = field(default_factory=Counter)

    def wait(self, reason: str) -> None:
        """The host waits until the device has done all that it was asked for."""
        self.waits[reason, caller()] += 1

    def kernel(self) -> None:
        """The device has something to do."""
        self.kernels[caller()] += 1

    def clear(self) -> None:
        """Count anew."""
        self.kernels.clear()
        self.waits.clear()


class DeviceGenerator(torch.Generator):
    """A generator that says it is the device's. It draws what a CPU's draws."""

    @property
    def device(self) -> torch.device:
        """Instead of the CPU."""
        return CUDA


@dataclass
class Device:
    """The state that both modes share.

    `inherited`: C++ code runs that makes its tensors where its arguments are. `wanted`: the place of new tensors that a
    call has named, if it has. `silent`: what runs is not what a device does, so its waits are not counted.
    """

    memory: Memory = field(default_factory=Memory)
    costs: Costs = field(default_factory=Costs)
    generator: DeviceGenerator = field(default_factory=DeviceGenerator)
    inherited: bool = False
    wanted: bool | None = None
    silent: bool = False
