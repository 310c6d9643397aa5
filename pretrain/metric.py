"""Top-1 and top-5 error in percent, as ImageNet tables give them."""

from collections.abc import Sequence
from typing import Any

import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS


def ranks(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """How many classes come before the true one: logits (N, C), labels (N,) to (N,); 0 is a top-1 hit.

    Among equals the first class comes first, so a network that says the same of all classes is right on one of them;
    one that gives no finite numbers is never right.
    """
    true, classes = logits.gather(1, labels[:, None]), logits.shape[1]
    earlier = torch.arange(classes, device=labels.device) < labels[:, None]
    before = (logits > true) | ((logits == true) & earlier)
    return before.sum(dim=1).where(logits.isfinite().all(dim=1), torch.tensor(classes, device=labels.device))


@METRICS.register_module()
class TopError(BaseMetric):
    """`top1_error` and `top5_error` over the whole set."""

    default_prefix = ""  # without one mmengine warns

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """One batch."""
        for sample in data_samples:
            self.results.extend(ranks(sample["logits"], sample["labels"]).tolist())

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """All batches."""
        found = torch.tensor(results)
        return {f"top{k}_error": 100 * (found >= k).float().mean().item() for k in (1, 5)}
