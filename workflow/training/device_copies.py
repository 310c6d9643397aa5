"""How things of the host reach the device in use, and how its results come back, without a wait for what it has still
to do."""

from collections.abc import Iterable, Iterator

import torch


def upload(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host on a device, without waiting for what the device has still to do.

    A copy from pageable memory waits for all of it, so on a GPU the tensor is pinned first; torch keeps pinned memory
    until the copy is done.
    """
    if device.type != "cuda" or values.device.type == "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)


def downloaded(results: Iterable[torch.Tensor]) -> Iterator[torch.Tensor]:
    """Results of a device on the host, in order. Each is waited for when the device has got the work for the next one.

    Args:
        results: tensors of the device in use, made as they are asked for.
    """
    waiting: tuple[torch.Tensor, torch.cuda.Event | None] | None = None
    for result in results:
        copied = torch.cuda.Event() if result.device.type == "cuda" else None
        copy = result.to("cpu", non_blocking=True)
        if copied:
            copied.record()
        if waiting:
            yield arrived(*waiting)
        waiting = copy, copied
    if waiting:
        yield arrived(*waiting)


def arrived(copy: torch.Tensor, copied: torch.cuda.Event | None) -> torch.Tensor:
    """A copy on the host, once it is complete."""
    if copied:
        copied.synchronize()
    return copy
