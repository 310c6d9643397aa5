"""The metrics of localization over all photos of a set, while a network is fine-tuned."""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.evaluator import BaseMetric
from mmengine.registry import METRICS

from localization import results
from localization.photos import Photos, photos, truth
from localization.results import Scored
from workflow.core.dataset_info import DatasetInfo


@METRICS.register_module()
class BoxAccuracy(BaseMetric):
    """Evidence and predictions are left in a folder.

    Args:
        check: the result of the check of the set, as in CHECK.json.
        section: of the set in the config.
        recipe: of the run.
        keep: the folder.
    """

    default_prefix = ""  # without one mmengine warns

    def __init__(self, check: dict[str, Any], section: dict[str, Any], recipe: dict[str, Any], keep: str) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.check, self.section, self.recipe, self.keep = check, section, recipe, Path(keep)

    @functools.cached_property
    def photos(self) -> Photos:
        """Read once."""
        return photos(DatasetInfo(**self.check), self.section)

    @functools.cached_property
    def shown(self) -> set[int]:
        """Places of the photos whose maps are kept."""
        return set(results.shown(self.photos))

    def process(self, data_batch: object, data_samples: Sequence[Mapping[str, torch.Tensor]]) -> None:
        """One batch: an entry for each image."""
        for batch in data_samples:
            places, maps = batch["image"].tolist(), batch["maps"].float().cpu()
            sizes = self.recipe["resize_size"], self.recipe["crop_size"]
            true = [truth(self.photos.all[place], *sizes) for place in places]
            arrays = results.score(maps, batch["predicted"], true, self.recipe).arrays()
            for n, place in enumerate(places):
                kept = maps[n].numpy() if place in self.shown else None
                self.results.append((place, {name: array[n : n + 1] for name, array in arrays.items()}, kept))

    def compute_metrics(self, entries: list[tuple[int, dict[str, np.ndarray], np.ndarray | None]]) -> dict[str, float]:
        """All batches."""
        entries = sorted(entries, key=lambda one: one[0])
        outcome = results.outcome(Scored.of([arrays for _, arrays, _ in entries]), self.photos, self.recipe)
        maps = {place: kept for place, _, kept in entries if kept is not None}
        results.write(self.keep, outcome, self.photos, maps, self.recipe)
        return outcome.metrics
