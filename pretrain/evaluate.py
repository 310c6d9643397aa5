"""Score a published backbone on the test images of its pretraining set.

Checked: for a pretrained backbone these are the numbers of its record, and its per_image.npz.
"""

import math
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import Subset
from tqdm import tqdm

from backbones.backbone import Preprocessing, load_weights, metadata, network_of
from backbones.classifier import build_classifier, class_count
from backbones.images import open_test_images
from pretrain.metric import errors, ranks, write_per_image
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.reporting.figures import spread
from workflow.training.batches import load_batches
from workflow.training.hooks import autocast
from workflow.training.precision import configure_torch
from workflow.training.resume.interrupts import guard_workers


def evaluate(
    backbone: Path, check: DatasetInfo, recipe: dict[str, Any], threads: int, evidence: Path | None = None
) -> dict[str, float]:
    """`top1_error` and `top5_error` in percent of a backbone with its classifier, by its own preprocessing and stride.

    `recipe` gives val_resize_size, crop_size, batch_size and precision; `evidence` is a file for each image's errors.
    UserError if the classifier is absent or has other classes than the data.
    """
    weights, prepare = load_weights(backbone)
    network = network_of(backbone)
    classes = class_count(network, weights)
    if classes != len(check.classes):
        own = f"its {network.classifier} has {classes} classes"
        raise UserError(f"{backbone}: {own}, the data have {len(check.classes)}")
    recipe = recipe | {"network": network.name}
    found = ranked(weights, prepare, metadata(backbone)["stride"], check, recipe, threads)
    if evidence:
        write_per_image(evidence, check, found)
    return errors(found)


def ranked(
    weights: dict[str, Any],
    prepare: Preprocessing,
    stride: str,
    check: DatasetInfo,
    recipe: dict[str, Any],
    threads: int,
    workers: int = 0,
    sample: int | None = None,
) -> list[int]:
    """How many classes each test image's true one is outscored by, of weights whose classifier has the data's
    classes. `recipe` names their network too.

    `sample`: of so many images at most, evenly spread over the set.
    """
    configure_torch(threads)
    network, found = build_classifier(registry.network(recipe["network"]), weights, stride), []
    device = next(network.parameters()).device
    images = open_test_images(check, recipe)
    images = Subset(images, spread(len(images), sample or len(images)))
    bar = tqdm(total=len(images), unit="image", desc=f"scoring ({prepare.channel_order}, {stride})")
    loader = load_batches(images, workers, batch_size=recipe["batch_size"])
    with guard_workers("scoring", workers), torch.no_grad(), autocast(recipe["precision"]), bar:
        for batch in loader:
            shown, labels = (batch[key].to(device, non_blocking=True) for key in ("images", "labels"))
            pixels = shown.contiguous(memory_format=torch.channels_last)
            found += ranks(network(prepare(pixels)).float(), labels).tolist()
            bar.update(len(batch["labels"]))
    return found


def better(declared: list[int], other: list[int]) -> bool:
    """Is another declaration right on more of the same images, by more than three standard deviations of the images
    on which the two differ (McNemar's test)?"""
    won = sum(b == 0 < a for a, b in zip(declared, other, strict=True))
    lost = sum(a == 0 < b for a, b in zip(declared, other, strict=True))
    return won - lost > 3 * math.sqrt(won + lost)


def near_chance(top1_error: float, classes: int, images: int) -> bool:
    """Is this top-1 error (percent) what guessing might give on `images` images of `classes` classes?

    A guesser hits 1 in C, give or take three standard deviations of the mean of that many images. A network that sees
    garbage is no fair guesser: it may call everything by the commonest class, so twice as many hits still count as
    chance (of 1,000 classes: 0.2 %), but never more than half-way to perfect, or two classes could not be told apart.
    A perfect score is none, however few the images.
    """
    hits, fair = 1 - top1_error / 100, 1 / classes
    luck = fair + 3 * math.sqrt(fair * (1 - fair) / images)
    return hits < 1 and hits <= max(min(2 * fair, (1 + fair) / 2), luck) + 1e-9
