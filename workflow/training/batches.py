"""Batches of one size in evaluation and prediction. An image has the same bits in every batch of a size, whatever its
place and its neighbours; a batch of another size is summed in another order by CPUs and GPUs (tests)."""

import torch


def fill_batch(batch: torch.Tensor, size: int) -> torch.Tensor:
    """A batch (N, …) of at most `size` rows, filled up to (size, …) with copies of its last row."""
    if len(batch) == size:
        return batch
    rows = torch.arange(size, device=batch.device).clamp(max=len(batch) - 1)
    return batch.index_select(0, rows)  # not torch.cat, whose type autocast changes
