"""A pretended CUDA device: `with pretended_cuda() as device: …` runs our code as on a machine with one.

Tensors are real, on the CPU, with real values and real gradients; each storage is marked as on the device or not. What
CUDA refuses is refused with its error: tensors of both places in one operation, numpy of a device's tensor, a generator
of the other place. Kernels and waits of the host are counted by line (`device.costs`). torch, mmengine and the loaders
believe that there is one device; files are saved and loaded as of it; random numbers on it come from its own generator.

Not seen: kernels that CUDA lacks, its autocast (a CPU's is used), streams, NCCL, memory, speed; calls of torch's own
Python code; loading processes and their pinning thread (use `workers: 0`). An LSTM counts as many kernels, not as one.
"""

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import mmengine.device.utils
import torch
from torch import serialization
from torch.autograd.function import BackwardCFunction

from tests.pretended_cuda.calls import Calls
from tests.pretended_cuda.device import DEVICE, Device
from tests.pretended_cuda.kernels import Kernels

FIRST = 5  # before torch's own places for storages, which begin at 10
NAME = "pretended device"
MEMORY = 2**33


@contextlib.contextmanager
def pretended_cuda() -> Iterator[Device]:
    """Within, this process has one CUDA device."""
    device = Device()
    with contextlib.ExitStack() as stack:
        for owner, name, value in [*of_torch(device), (mmengine.device.utils, "DEVICE", "cuda")]:
            stack.enter_context(mock.patch.object(owner, name, value))
        stack.enter_context(files(device))
        calls = stack.enter_context(Calls(device))
        stack.enter_context(mock.patch.object(BackwardCFunction, "apply", in_backward(calls)))
        stack.enter_context(Kernels(device))
        yield device


def of_torch(device: Device) -> list[tuple[Any, str, Any]]:
    """What of torch is another with a device: owner, name and value."""

    def wait_for_event() -> None:
        device.costs.wait("an event")

    cuda = {
        "_lazy_init": lambda: None,
        "current_device": lambda: 0,
        "default_generators": (device.generator,),
        "device_count": lambda: 1,
        "empty_cache": lambda: None,
        "get_device_capability": lambda *_: (9, 0),
        "get_device_name": lambda *_: NAME,
        "is_available": lambda: True,
        "is_current_stream_capturing": lambda: False,
        "is_initialized": lambda: True,
        "Event": lambda *_, **__: SimpleNamespace(record=lambda *_: None, synchronize=wait_for_event),
        "max_memory_allocated": lambda *_: 0,
        "mem_get_info": lambda *_: (MEMORY, MEMORY),
        "set_device": lambda *_: None,
        "synchronize": lambda *_: device.costs.wait("synchronize"),
    }
    places = (torch.cuda, torch.cuda.random)  # which has its own names for some
    return [
        *((place, name, value) for name, value in cuda.items() for place in places if hasattr(place, name)),
        (torch.accelerator, "is_available", lambda: True),
        (torch.accelerator, "current_accelerator", lambda *_, **__: torch.device("cuda")),
        (torch.accelerator, "current_stream", lambda *_: SimpleNamespace(is_capturing=lambda: False)),
        (torch, "autocast", Autocast),
        (torch.nn.RNNBase, "flatten_parameters", flatten_parameters),
    ]


class Autocast(torch.autocast):
    """The CPU's, under the device's name."""

    def __init__(self, device_type: str, *args: Any, **kwargs: Any) -> None:
        super().__init__("cpu" if device_type == "cuda" else device_type, *args, **kwargs)


def flatten_parameters(self: torch.nn.RNNBase) -> None:
    """An LSTM's weights on a device lie in one piece of memory, in order."""
    weights = self._flat_weights
    if not all(isinstance(weight, torch.Tensor) and weight.is_cuda for weight in weights):
        return
    with torch.no_grad():
        flat = torch.cat([weight.reshape(-1) for weight in weights])
        for weight, part in zip(weights, flat.split([weight.numel() for weight in weights]), strict=True):
            weight.data = part.view_as(weight)


def in_backward(calls: Calls) -> Callable[..., Any]:
    """A backward pass is C++ and has left the mode; for the Python code of an autograd function in it, it enters."""
    apply = BackwardCFunction.apply

    def seen(self: Any, *args: Any) -> Any:
        with calls:
            return apply(self, *args)

    return seen


@contextlib.contextmanager
def files(device: Device) -> Iterator[None]:
    """Within, torch.save and torch.load know the device, by the way that torch has for further devices."""

    def tag(storage: Any) -> str | None:
        return "cuda:0" if device.memory.on_device(storage) else None

    def restore(storage: Any, location: str) -> Any:
        return device.memory.put(storage, DEVICE) if location.startswith("cuda") else None

    entry = (FIRST, tag, restore)
    serialization.register_package(*entry)
    try:
        yield
    finally:
        serialization._package_registry.remove(entry)
