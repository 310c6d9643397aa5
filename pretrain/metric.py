"""Top-1 and top-5 error in percent, as ImageNet tables give them."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS


def ranks(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How many classes score higher than the true one: logits (N, C), labels (N,) to (N,); 0 is a top-1 hit."""
    return (logits > logits.gather(1, labels[:, None])).sum(dim=1)


@METRICS.register_module()
class TopError(BaseMetric):
    """`top1_error` and `top5_error` over the whole set."""

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """One batch."""
        for sample in data_samples:
            self.results.extend(ranks(sample["logits"], sample["labels"]).tolist())

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """All batches."""
        found = torch.tensor(results)
        return {f"top{k}_error": 100 * (found >= k).float().mean().item() for k in (1, 5)}
