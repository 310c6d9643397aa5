"""Batches of one size in evaluation and prediction. An image has the same bits in every batch of a size, whatever its
place and its neighbours; a batch of another size is summed in another order by CPUs and GPUs (tests)."""

import torch


def fill_batch(batch: torch.Tensor, size: int) -> torch.Tensor:
    """A batch (N, …) of at most `size` rows, filled up to (size, …) with copies of its last row."""
    missing = size - len(batch)
    return torch.cat([batch, batch[-1:].expand(missing, *batch.shape[1:])]) if missing else batch
