"""Images in blocks that are decoded once, kept as uint8 while every protocol passes them through the network, and
finished each on its own: a killed evaluation resumes at the block that it was in."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from backbones.classifier import PublishedClassifier
from workflow.core.rng import rng
from workflow.planning.run_spec import RunSpec
from workflow.training.batches import load_batches
from workflow.training.resume.interrupts import guard_workers
from workflow.training.resume.parts import Arrays, FinishedParts

BLOCK = 256  # images at most: 39 MB at 224 px


@dataclass(frozen=True)
class Block:
    """Some images of a set.

    Args:
        images: uint8 (N, 3, H, W), on the classifier's device.
        labels: of the data set, (N,), on the same device.
        places: in the order of the set, (N,).
    """

    images: torch.Tensor
    labels: torch.Tensor
    places: np.ndarray


def shuffled_blocks(images: int) -> list[np.ndarray]:
    """The places of all images in a fixed random order, cut into blocks of nearly equal size: the neighbours in a block
    are random pairs, and these are the same for every network."""
    order = rng("robustness", "order", images).permutation(images)
    return np.array_split(order, -(-images // BLOCK))


def by_blocks(
    run: RunSpec,
    images: Dataset,
    device: torch.device,
    parts: FinishedParts,
    compute: Callable[[Block], Arrays],
) -> Arrays:
    """Arrays about all images, in their order, from those of the blocks that an earlier attempt has finished and of
    those that are computed now.

    Args:
        run: gives workers and the name.
        images: the set, as TestImages gives it.
        device: where blocks are computed.
        parts: of the evaluation.
        compute: gives the arrays (N, …) of a block.
    """
    places = shuffled_blocks(len(images))
    found = [parts.read(name(number)) for number in range(len(places))]
    todo = [number for number, arrays in enumerate(found) if arrays is None]
    for number, batch in zip(todo, _loaded(run, images, [places[number].tolist() for number in todo]), strict=True):
        on_device = (batch[key].to(device, non_blocking=True) for key in ("images", "labels"))
        block = Block(*on_device, places[number])
        found[number] = parts.keep(name(number), compute(block))
    kept = [arrays for arrays in found if arrays is not None]
    order = np.argsort(np.concatenate(places))
    return {key: np.concatenate([arrays[key] for arrays in kept])[order] for key in kept[0]}


def name(number: int) -> str:
    """Of the part with a block."""
    return f"block{number:05d}"


def _loaded(run: RunSpec, images: Dataset, batches: list[list[int]]) -> Iterator[dict[str, torch.Tensor]]:
    ahead: dict[str, Any] = {"prefetch_factor": 1} if run.workers else {}  # a block is large
    loader = load_batches(images, run.workers, batch_sampler=batches, **ahead)
    bar = tqdm(desc=f"[{run.name}]", total=len(images), unit="image", initial=len(images) - sum(map(len, batches)))
    with guard_workers(run.name, run.workers), bar:
        for batch in loader:
            yield batch
            bar.update(len(batch["labels"]))


def predictions(
    classifier: PublishedClassifier, images: torch.Tensor, batch_size: int, outputs: list[int] | None = None
) -> np.ndarray:
    """The class with the largest logit of each image, the first of equals; -1 if a logit is not finite.

    Args:
        classifier: evaluated in fp32.
        images: (N, 3, H, W) in pixel units.
        batch_size: images that are passed at once.
        outputs: those that may be predicted, and whose places are given; None: all.

    Returns:
        (N,) int16.
    """
    found = []
    with torch.no_grad(), torch.autocast(images.device.type, enabled=False):
        for batch in images.split(batch_size):
            logits = classifier(batch)
            logits = logits if outputs is None else logits[:, outputs]
            found.append(logits.argmax(dim=1).where(logits.isfinite().all(dim=1), -1))
    return torch.cat(found).cpu().numpy().astype(np.int16)
