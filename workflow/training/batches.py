"""Batches of one size in evaluation and prediction. An image has the same bits in every batch of a size, whatever its
place and its neighbours; a batch of another size is summed in another order by CPUs and GPUs (tests)."""

from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

from workflow.training.resume.interrupts import data_worker


def load_batches(images: Dataset, workers: int, **how: Any) -> DataLoader:
    """The batches of a data set that is not trained on.

    Args:
        images: the set.
        workers: processes that load; 0: this one.
        how: arguments of the DataLoader.

    Returns:
        Where there is a GPU its tensors are in pinned memory, so that `to(device, non_blocking=True)` does not wait.
    """
    pinned = torch.cuda.is_available()
    return DataLoader(images, num_workers=workers, worker_init_fn=data_worker, pin_memory=pinned, **how)


def fill_batch(batch: torch.Tensor, size: int) -> torch.Tensor:
    """A batch (N, …) of at most `size` rows, filled up to (size, …) with copies of its last row."""
    if len(batch) == size:
        return batch
    rows = torch.arange(size, device=batch.device).clamp(max=len(batch) - 1)
    return batch.index_select(0, rows)  # not torch.cat, whose type autocast changes
