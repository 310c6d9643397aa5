"""The log loss of a linear probe in nats: the mean over the test images."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS
from torch.nn import functional

from workflow.core.files import write_json
from workflow.training import per_image


@METRICS.register_module()
class LogLoss(BaseMetric):
    """`log_loss` over all test images; evidence and predictions are left in a folder.

    Args:
        images: names of the test images, in the order of the data set.
        keep: the folder.
    """

    default_prefix = ""  # without one mmengine warns

    def __init__(self, images: list[str], keep: str) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.images, self.keep = images, Path(keep)

    def process(self, data_batch: Any, data_samples: Sequence[dict[str, torch.Tensor]]) -> None:
        """One batch."""
        for batch in data_samples:
            losses = functional.cross_entropy(batch["logits"], batch["labels"], reduction="none")
            columns = batch["image"], batch["labels"], batch["logits"].argmax(dim=1), losses
            self.results += zip(*(column.tolist() for column in columns), strict=True)

    def compute_metrics(self, results: list[tuple[int, int, int, float]]) -> dict[str, float]:
        """All batches."""
        results = sorted(results)
        losses = np.array([loss for *_, loss in results])
        per_image.write(self.keep / "per_image.npz", np.array(self.images), log_loss=losses)
        predicted = [{"image": self.images[n], "label": label, "predicted": guess} for n, label, guess, _ in results]
        write_json(self.keep / "predictions.json", predicted)
        return {"log_loss": float(losses.mean())}
