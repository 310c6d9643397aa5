"""`evidence.npz` beside a record, as workflow.training.evidence writes it: what a resample of the test images needs.

`images` (N,) names the test images. A metric that is a mean over them is one float64 array (N,) in percent under its
own name. `bleu` (N, 10): right n-grams for n = 1 to 4, guessed ones, length of the caption and of the closest
reference. `meteor` (N, 23): METEOR's own statistics. Detections, ranked class by class as the scorer ranked them:
`image`, `label`, `score` (D,), and at each of T IoU thresholds `hit` and `left` (out of the count) (D, T); `truths`
(N, C) counts the objects. What stands below a class's last hit changes no average precision and may be absent.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow.training.errors import UserError
from workflow.training.evidence import parse
from workflow.training.files import digest, open_regular

COUNTS = {"bleu": 10, "meteor": 23}  # numbers an image, of whose sums the corpus metric is made
LARGEST = 1 << 30  # of anything that is counted: sums over 40,000 images stay within 64 bits
THRESHOLDS = (1, 10)  # VOC's 0.5; COCO's 0.5 to 0.95
SHAPES = {"image": "D", "label": "D", "score": "D", "hit": "DT", "left": "DT", "truths": "NC"}
KINDS = {
    "image": "iu",
    "label": "iu",
    "hit": "b",
    "left": "b",
    "truths": "iu",
    "bleu": "iu",
    "meteor": "iu",
}  # numpy's letters


@dataclass(frozen=True)
class Evidence:
    """One run's: where it lies, the test images (N,), the arrays by name, and the hash of the bytes that were read."""

    path: Path
    images: np.ndarray
    arrays: dict[str, np.ndarray]
    sha256: str = ""  # of no file

    @property
    def detects(self) -> bool:
        """Is it about detections?"""
        return "truths" in self.arrays

    @property
    def scores(self) -> str:
        """A hash of all detections; empty without any. No two networks score alike, as two may well in their words and
        classes: those that know all, and those that know nothing."""
        if not self.arrays.get("score", np.empty(0)).size:
            return ""
        return digest({key: hashlib.sha256(self.arrays[key].tobytes()).hexdigest() for key in SHAPES})

    @property
    def per_image(self) -> dict[str, np.ndarray]:
        """The metrics that are a mean over the images."""
        return {key: array for key, array in self.arrays.items() if key not in SHAPES | COUNTS}


def read(path: Path) -> Evidence | None:
    """The evidence at `path`, None if there is none. UserError if an array is missing or not as it should be."""
    try:
        with open_regular(path) as file:
            content = file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    arrays = parse(path, content)
    if "images" not in arrays:
        raise UserError(f"{path}: images is missing")
    evidence = Evidence(path, arrays.pop("images"), arrays, hashlib.sha256(content).hexdigest())
    _check(evidence)
    return evidence


def check_same_images(one: Evidence, other: Evidence) -> None:
    """UserError if two runs were not tested on the same images in the same order: they cannot be paired."""
    if not np.array_equal(one.images, other.images):
        raise UserError(f"{one.path} and {other.path} cannot be paired: their test images differ")


def _check(evidence: Evidence) -> None:
    count = evidence.images.size
    if count and evidence.images.dtype.kind not in "iuU":
        raise UserError(f"{evidence.path}: images is of {evidence.images.dtype}, neither integers nor texts")
    if evidence.images.ndim != 1 or (not count and evidence.arrays):  # what was not scored has neither
        raise UserError(f"{evidence.path}: images has shape {evidence.images.shape}, not (N,) with N at least 1")
    for key, array in evidence.per_image.items():
        _shape(evidence, key, array, (count,))
        if not np.isfinite(array).all():
            raise UserError(f"{evidence.path}: {key} has values that are no finite numbers")
    for key in COUNTS.keys() & evidence.arrays.keys():
        _shape(evidence, key, evidence.arrays[key], (count, COUNTS[key]))
        _count(evidence, key, LARGEST)
    if SHAPES.keys() & evidence.arrays.keys():
        _check_detections(evidence, count)


def _check_detections(evidence: Evidence, count: int) -> None:
    arrays = evidence.arrays
    missing = sorted(SHAPES.keys() - arrays.keys())
    if missing:
        raise UserError(f"{evidence.path}: {', '.join(missing)} is missing")
    for key, axes in SHAPES.items():
        if arrays[key].ndim != len(axes):
            raise UserError(f"{evidence.path}: {key} has shape {arrays[key].shape}, not ({', '.join(axes)})")
    sizes = {"N": count, "D": len(arrays["image"]), "T": arrays["hit"].shape[-1], "C": arrays["truths"].shape[-1]}
    for key, axes in SHAPES.items():
        _shape(evidence, key, arrays[key], tuple(sizes[axis] for axis in axes))
    if not sizes["C"]:
        raise UserError(f"{evidence.path}: truths has no class")
    if sizes["T"] not in THRESHOLDS:
        raise UserError(f"{evidence.path}: hit has {sizes['T']} IoU thresholds, not 1 or 10")
    for key, size in (("image", sizes["N"]), ("label", sizes["C"])):
        _count(evidence, key, size - 1)
    _count(evidence, "truths", LARGEST)
    if not np.isfinite(arrays["score"]).all():
        raise UserError(f"{evidence.path}: score has values that are no finite numbers")
    order = np.argsort(arrays["label"], kind="stable")
    label, score = arrays["label"][order], arrays["score"][order]
    if ((label[1:] == label[:-1]) & (score[1:] > score[:-1])).any():
        raise UserError(f"{evidence.path}: score rises within a class: the detections are not in rank order")


def _count(evidence: Evidence, key: str, largest: int) -> None:
    array = evidence.arrays[key]
    if array.size and not 0 <= array.min() <= array.max() <= largest:
        raise UserError(f"{evidence.path}: {key} has values outside 0 to {largest}")


def _shape(evidence: Evidence, key: str, array: np.ndarray, expected: tuple[int, ...]) -> None:
    if array.shape != expected:
        raise UserError(f"{evidence.path}: {key} has shape {array.shape}, not {expected}")
    if array.dtype.kind not in KINDS.get(key, "f"):
        raise UserError(f"{evidence.path}: {key} is of {array.dtype}")
