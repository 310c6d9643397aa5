"""The errors of a fine-tuned network on the test images, on the held-out ones and on those that it was trained on."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from classification import scores
from classification.dataset import split_of
from classification.evaluate import publish
from classification.task import HELD_OUT
from workflow.core.dataset_info import DatasetInfo
from workflow.data import labelled


@METRICS.register_module()
class PartErrors(BaseMetric):
    """Evidence and predictions are left in a folder.

    Args:
        check: of the set.
        recipe: of the run.
        seed: of the fraction that is trained on.
        keep: the folder.
        held_out: share of the training images that is not trained on.
    """

    default_prefix = ""  # without one mmengine warns

    def __init__(
        self, check: DatasetInfo, recipe: dict[str, Any], seed: int, keep: str, held_out: float = HELD_OUT
    ) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.check, self.keep = check, Path(keep)
        self.split = split_of(check, recipe, seed, held_out)

    def process(self, data_batch: object, data_samples: Sequence[dict[str, torch.Tensor]]) -> None:
        """One batch: place and predicted class of each image."""
        for batch in data_samples:
            self.results += zip(batch["image"].tolist(), batch["predicted"].tolist(), strict=True)

    def compute_metrics(self, results: list[tuple[int, int]]) -> dict[str, float]:
        """All batches."""
        predicted = np.array([label for _, label in sorted(results)])
        test, targets = labelled.open_test(self.check), np.asarray(labelled.open_train(self.check).targets)
        ends = [len(test), len(test) + len(self.split.val)]
        tested, val, fit = np.split(predicted, ends)
        arrays = scores.evidence(tested, np.asarray(test.targets))
        arrays |= {"val_wrong": val != targets[self.split.val], "train_wrong": fit != targets[self.split.fit]}
        publish(self.keep, [test.name(place) for place in range(len(test))], tested, arrays)
        return scores.metrics(arrays)
