"""Out-of-distribution detection (CutMix, ICCV 2019, Section 4.4 and its supplement): the scores of one network on the
test images of its pretraining set, on those of other sets, and on noise."""

from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from backbones.classifier import PublishedClassifier
from backbones.images import TestImages
from robustness import ood_metrics
from robustness.preflight import check_sets
from robustness.scores import Scores
from robustness.task import NOISE, every_set, evidence
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.data import labelled
from workflow.data.ood_images import open_set
from workflow.planning.run_spec import RunSpec
from workflow.training.batches import load_batches
from workflow.training.resume.interrupts import guard_workers
from workflow.training.resume.parts import Arrays, FinishedParts


class Noise(Dataset):
    """Images whose pixels are independent of each other, as ODIN (Liang et al., ICLR 2018) defines them: `uniform` in
    [0, 1], or `gaussian` around 0.5 with standard deviation 1, clipped to [0, 1].

    Args:
        kind: one of the two.
        images: how many; image i follows from the kind and i only, so it is the same for every network.
        side: of the images, px.
    """

    def __init__(self, kind: str, images: int, side: int) -> None:
        self.kind, self.images, self.shape = kind, images, (3, side, side)

    def __len__(self) -> int:
        return self.images

    def __getitem__(self, index: int) -> dict[str, Any]:
        draw = rng("robustness", "noise", self.kind, index)
        share = draw.random(self.shape) if self.kind == "uniform" else draw.normal(0.5, 1, self.shape).clip(0, 1)
        return {"images": torch.from_numpy(share).float() * 255}

    def names(self) -> list[str]:
        """Of the images."""
        return [f"{index:06d}" for index in range(self.images)]


def open_out(check: DatasetInfo, name: str, recipe: dict[str, Any]) -> tuple[Dataset, list[str]]:
    """An out-of-distribution set, and the names of its images."""
    if name in NOISE:
        noise = Noise(name, recipe["noise_images"], recipe["crop_size"])
        return noise, noise.names()
    source = open_set(check.root, name)
    return TestImages(source, recipe), [source.name(index) for index in range(len(source))]


def logit_scores(run: RunSpec, images: Dataset, classifier: PublishedClassifier, part: str) -> Arrays:
    """The scores of each image of a set by name, (N,) float64.

    Raises:
        UserError: if a logit is not finite.
    """
    loader, found = load_batches(images, run.workers, batch_size=run.recipe["batch_size"]), []
    bar = tqdm(desc=f"[{run.name}] {part}", total=len(images), unit="image")
    with guard_workers(run.name, run.workers), torch.no_grad(), bar:
        for batch in loader:
            logits = classifier(batch["images"].to(classifier.device, non_blocking=True)).cpu().numpy()
            if not np.isfinite(logits).all():
                raise UserError(f"[{run.name}] the logits of an image of {part} are not finite: it has no score")
            found.append(ood_metrics.scores(logits))
            bar.update(len(logits))
    return {name: np.concatenate([each[name] for each in found]) for name in ood_metrics.SCORES}


def score(
    run: RunSpec, check: DatasetInfo, classifier: PublishedClassifier, parts: FinishedParts, known: DatasetInfo
) -> Scores:
    """All scores, in fp32 networks, and what they tell apart.

    Args:
        run: with the recipe.
        check: of the out-of-distribution sets.
        classifier: the network.
        parts: of the evaluation: each set is one.
        known: check of the pretraining set.
    """
    recipe, inside = run.recipe, labelled.open_test(known)
    check_sets(check, f"tasks.{run.task}", recipe)
    sets = {"": (TestImages(inside, recipe), [inside.name(index) for index in range(len(inside))])}
    sets |= {name: open_out(check, name, recipe) for name in every_set(recipe)}
    found, names, flags = [], [], {}
    for place, (name, (images, called)) in enumerate(sets.items()):
        title = name or "in distribution"
        found.append(parts(f"set{place:03d}", lambda i=images, t=title: logit_scores(run, i, classifier, t)))
        names += [f"{title}/{each}" for each in called]
    sizes = [len(each["max_softmax"]) for each in found]
    for place, name in enumerate(evidence(recipe), start=1):
        flags[name] = np.repeat(np.arange(len(sizes)) == place, sizes)
    values = {name: np.concatenate([each[name] for each in found]) for name in ood_metrics.SCORES}
    arrays = values | flags
    once = np.ones((sum(sizes), 1), dtype=np.int64)
    totals = {name: float(value[0]) for name, value in ood_metrics.separations(arrays)(once).items()}
    groups = "; ".join(f"{group}: {', '.join(each)}" for group, each in recipe["sets"].items())
    protocol = {
        "split": f"{labelled.count_in_words(known)} in distribution, {sum(sizes[1:])} out of it",
        "precision": "fp32",
        "sets": groups,
        "score": "max softmax in float64; positive is in-distribution",
    }
    return Scores(names, {}, arrays, {"score": values["max_softmax"]}, protocol, totals)
