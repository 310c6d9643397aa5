"""Top-1 and top-5 error in percent, as tables of classifiers give them: the mean over the images, each 0 or 100."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from backbones.classifier import ranks
from workflow.core.dataset_info import DatasetInfo
from workflow.data import labelled
from workflow.training import per_image


def per_image_errors(ranks: Sequence[int]) -> dict[str, np.ndarray]:
    """`top1_error` and `top5_error` of every image, float64 (N,): 0 or 100."""
    return {f"top{k}_error": 100.0 * (np.asarray(ranks) >= k) for k in (1, 5)}


def errors(ranks: Sequence[int]) -> dict[str, float]:
    """`top1_error` and `top5_error` of the set, in percent."""
    return {name: float(values.mean()) for name, values in per_image_errors(ranks).items()}


def write_per_image(path: Path, check: DatasetInfo, ranks: Sequence[int]) -> None:
    """Write the evidence of a score on all test images of a set, in their order, named as their source names them.

    What was not scored, without ranks, leaves a file without images and without errors. ValueError if the images are
    not as many as the ranks.
    """
    names = []
    if ranks:
        source = labelled.open_test(check)
        names = [source.name(place) for place, _ in zip(range(len(source)), ranks, strict=True)]
    per_image.write(path, np.array(names, dtype=str), **(per_image_errors(ranks) if ranks else {}))


@METRICS.register_module()
class TopError(BaseMetric):
    """`top1_error` and `top5_error` over all test images of a set; the evidence goes into the folder `keep`."""

    default_prefix = ""  # without one mmengine warns

    def __init__(self, check: DatasetInfo, keep: str) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.check, self.keep = check, Path(keep)

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict]) -> None:
        """One batch."""
        for sample in data_samples:
            self.results.extend(ranks(sample["logits"], sample["labels"]).tolist())

    def compute_metrics(self, results: list[int]) -> dict[str, float]:
        """All batches."""
        write_per_image(self.keep / "per_image.npz", self.check, results)
        return errors(results)
