"""Localize with a finished classifier: the class activation maps of a published backbone, as it is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Subset
from tqdm import tqdm

from backbones.backbone import metadata
from backbones.classifier import PublishedClassifier, load_classifier
from localization import photos as sets
from localization import results
from localization.cam import class_maps, features_and_logits
from localization.photos import Photos, TestPhotos
from localization.results import Scored
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec
from workflow.training.batches import load_batches
from workflow.training.hooks import autocast
from workflow.training.precision import configure_torch
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context
from workflow.training.resume.interrupts import guard_workers
from workflow.training.resume.parts import FinishedParts

PART = 1000  # images of a part, which a killed evaluation does not compute again


class Evaluation:
    """The maps of a classifier for the photos of a set.

    Args:
        run: gives recipe, threads and workers.
        classifier: with outputs for all classes of the data.
        names: of the classes of the data.
        photos: of the set.
    """

    def __init__(self, run: RunSpec, classifier: PublishedClassifier, names: list[str], photos: Photos) -> None:
        self.run, self.classifier, self.photos = run, classifier, photos
        self.outputs = torch.tensor(classifier.outputs(names), device=classifier.device)
        sizes = run.recipe["resize_size"], run.recipe["crop_size"]
        self.images = TestPhotos([(image.path, image.label) for image in photos.all], *sizes)

    def batch(self, batch: Mapping[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Maps (N, h, w) of the class that the recipe asks for, and predicted labels (N,), on the CPU."""
        published = self.classifier
        pixels = batch["images"].to(published.device, non_blocking=True).contiguous(memory_format=torch.channels_last)
        with torch.no_grad(), autocast(self.run.recipe["precision"]):
            features, logits = features_and_logits(published.module, published.network, published.prepare(pixels))
        logits = logits[:, self.outputs]
        predicted = torch.where(logits.isfinite().all(dim=1), logits.argmax(dim=1), -1)
        true = batch["labels"].to(published.device, non_blocking=True)
        label = true if self.run.recipe["cam_class"] == "ground_truth" else predicted.clamp(min=0)
        weight = published.module.get_submodule(published.network.classifier).weight
        return class_maps(features, weight, self.outputs[label]).cpu(), predicted.cpu()

    def score(self, places: range) -> dict[str, np.ndarray]:
        """The arrays of some photos (results.Scored)."""
        recipe, workers, scores = self.run.recipe, self.run.workers, []
        loader = load_batches(Subset(self.images, places), workers, batch_size=recipe["batch_size"])
        with guard_workers("localization", workers):
            for batch in tqdm(loader, desc=f"{self.run.name}: images from {places.start}", unit="batch"):
                maps, predicted = self.batch(batch)
                true = [
                    sets.truth(self.photos.all[place], recipe["resize_size"], recipe["crop_size"])
                    for place in batch["image"].tolist()
                ]
                scores.append(results.score(maps, predicted, true, recipe).arrays())
        return Scored.of(scores).arrays()

    def maps(self) -> dict[int, np.ndarray]:
        """The maps of the photos that figures show, by their place."""
        places = results.shown(self.photos)
        batch = torch.utils.data.default_collate([self.images[place] for place in places])
        return dict(zip(places, self.batch(batch)[0].numpy(), strict=True))


def protocol(run: RunSpec, photos: Photos, meta: Mapping[str, Any]) -> dict[str, Any]:
    """How the numbers were made; `meta` is what the backbone says of itself."""
    recipe = run.recipe
    prepare = {key: meta[key] for key in ("channel_order", "mean", "std")}
    return {
        "split": f"{len(photos.test)} test images; thresholds chosen on {photos.chosen_on}",
        "map": f"class activation map of the {recipe['cam_class'].replace('_', ' ')} class, "
        f"{recipe['normalization']}, {recipe['interpolation']}",
        "boxes": f"of the largest contour by area (MaxBoxAccV2: of all); Top-1 Loc and GT-known at {recipe['sigma']} "
        "of the maximum and IoU above 0.5, MaxBoxAcc at IoU 0.5, MaxBoxAccV2 the mean over IoU 0.3, 0.5 and 0.7",
        "sizes": f"resized to {recipe['resize_size']} x {recipe['resize_size']}, centre crop {recipe['crop_size']}",
        "preprocessing": prepare,
        "network": meta["network"],
        "stride": meta["stride"],
    }


def evaluate(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Score a backbone, publish predictions and evidence, and write the record last."""
    check = DatasetInfo.read(check_file)
    of = made_of(run, check, backbone)
    with run_context(state, out, of):
        configure_torch(run.threads)
        photos = sets.photos(check, run.data)
        evaluation = Evaluation(run, load_classifier(backbone, of["backbone"]), check.classes, photos)
        finished, count = FinishedParts(state, of, run.name), len(photos.all)
        parts = [range(first, min(first + PART, count)) for first in range(0, count, PART)]
        arrays = [finished(f"images{part.start}", lambda part=part: evaluation.score(part)) for part in parts]
        scored = Scored.of(arrays)
        result = results.outcome(scored, photos, run.recipe)
        results.write(out, result, photos, evaluation.maps(), run.recipe)
        references = {results.REFERENCE: results.reference(photos, run.recipe)}
        write_record(out, run, None, of=of, metrics=result.metrics, protocol=protocol(run, photos, metadata(backbone)),
                     check=check_file, backbone=backbone, thresholds=result.chosen.thresholds(),
                     references=references)  # fmt: skip
