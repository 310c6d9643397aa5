"""How small things of the host reach the device in use."""

import torch


def upload(values: torch.Tensor, device: torch.device) -> torch.Tensor:
    """A tensor of the host on a device, without waiting for what the device has still to do.

    A copy from pageable memory waits for all of it, so on a GPU the tensor is pinned first; torch keeps pinned memory
    until the copy is done.
    """
    if device.type != "cuda" or values.device.type == "cuda":
        return values.to(device)
    return values.pin_memory().to(device, non_blocking=True)
