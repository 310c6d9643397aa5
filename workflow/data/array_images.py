"""What the checks of sets in memory share: labels that are classes, no image in both parts."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workflow.contracts import DataSet
from workflow.core.dataset_info import DatasetInfo, unknown_classes
from workflow.core.escaping import say
from workflow.core.files import digest
from workflow.data.labelled import ArrayImages
from workflow.data.validation.errors import ErrorList

Images = Mapping[Path, ArrayImages]  # of a part, by the file that has their labels


def check_arrays(
    data: DataSet, root: Path, parts: Mapping[str, Images], names: list[str], faults: ErrorList
) -> DatasetInfo:
    """Check the images of `train` and `test`. A number that is not the official one is a warning.

    Args:
        data: declaration of the set.
        root: its folder.
        parts: its images.
        names: of the classes.
        faults: with those that were found before.

    Raises:
        UserError: with every fault.
    """
    for path, images in (pair for part in parts.values() for pair in part.items()):
        if not len(images):
            faults.add("files without images", f"{path}: there are 0 images")
        wrong = np.flatnonzero(images.targets >= len(names))
        if len(wrong):
            more = f", as have {len(wrong) - 1:,} more" if len(wrong) > 1 else ""
            first = f"image {wrong[0] + 1:,} has label {images.targets[wrong[0]]}{more}"
            faults.add("labels out of range", f"{path}: {first}; there are {len(names)} classes, from 0")
    faults.raise_if_any()
    arrays = {part: joined(list(images.values())) for part, images in parts.items()}
    for part, images in arrays.items():
        if absent := unknown_classes([names[label] for label in np.unique(images.targets)], names):
            say(f"warning: {root}: {part} has no image of {absent}")
    counts = {part: len(images) for part, images in arrays.items()}
    official = data.counts[""]
    _check_overlap(parts, counts == official, faults)
    faults.raise_if_any()
    if len(names) == data.classes and counts != official:
        ours, theirs = (f"{each['train']:,} and {each['test']:,}" for each in (counts, official))
        say(f"warning: {root}: {ours} images, not the official {theirs}")
    hashes = {part: [_hash(images.pixels), _hash(images.targets)] for part, images in arrays.items()}
    content = digest([names, hashes])
    return DatasetInfo(set=data.name, root=str(root), fingerprint=content, classes=names, counts=counts)


def joined(parts: list[ArrayImages], root: str = "") -> ArrayImages:
    """The images of several files as one."""
    pixels, targets = (np.concatenate([getattr(one, key) for one in parts]) for key in ("pixels", "targets"))
    return ArrayImages(pixels, targets, root)


def _check_overlap(parts: Mapping[str, Images], official: bool, faults: ErrorList) -> None:
    """Images of the test part that are also in the training part: a fault, or a warning in the official set."""
    learnt = {_hash(image) for images in parts["train"].values() for image in images.pixels}
    for path, images in parts["test"].items():
        shared = [place for place, image in enumerate(images.pixels, start=1) if _hash(image) in learnt]
        what = (
            f"{path}: {len(shared):,} of its images are also used for training, the first is image {shared[0]:,}"
            if shared
            else ""
        )
        if shared and official:
            say(f"warning: {what}")
        elif shared:
            faults.add("images in both training and test", what)


def _hash(array: np.ndarray) -> str:
    return hashlib.sha256(np.ascontiguousarray(array)).hexdigest()
