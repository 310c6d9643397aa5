"""`per_image.npz` beside a record, as workflow.training.per_image writes it: what a resample of the test images needs.

`images` (N,) names the test images. A metric that is a mean over them is one floating-point array (N,) under its own
name, in its unit. What the other arrays are, the task declares (workflow.contracts.Resampling).
"""

import hashlib
import pkgutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workflow.contracts import Array, Resampling
from workflow.core.errors import UserError
from workflow.core.files import digest, open_regular
from workflow.training.per_image import parse

LARGEST = 1 << 30  # of anything that is counted: sums over 40,000 images stay within 64 bits
DTYPES = {"number": "f", "flag": "b", "count": "iu"}  # numpy's letters


@dataclass(frozen=True)
class Evidence:
    """One run's: where it lies, the test images (N,), the arrays by name, the hash of the bytes that were read, and how
    the task scores those arrays that are not means."""

    path: Path
    images: np.ndarray
    arrays: dict[str, np.ndarray]
    sha256: str = ""  # of no file
    resampling: Sequence[Resampling] = ()

    @property
    def scored(self) -> list[Resampling]:
        """How the arrays that are there are scored."""
        return [one for one in self.resampling if one.arrays.keys() <= self.arrays.keys()]

    @property
    def unique(self) -> dict[str, str]:
        """What no two networks share, in a word, to its hash; without what is empty."""
        return {
            one.unique: digest({key: hashlib.sha256(self.arrays[key].tobytes()).hexdigest() for key in one.arrays})
            for one in self.scored
            if one.unique and all(self.arrays[key].size for key in one.arrays)
        }

    @property
    def per_image(self) -> dict[str, np.ndarray]:
        """The metrics that are a mean over the images."""
        declared = {key for one in self.resampling for key in one.arrays}
        return {key: array for key, array in self.arrays.items() if key not in declared}


def read(path: Path, resampling: Sequence[Resampling] = ()) -> Evidence | None:
    """The evidence of a run.

    Args:
        path: of the file.
        resampling: as its task declares it; without it, every array must be a mean over the images.

    Returns:
        None if there is no file.

    Raises:
        UserError: if an array is missing or not as it should be.
    """
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
    evidence = Evidence(path, arrays.pop("images"), arrays, hashlib.sha256(content).hexdigest(), resampling)
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
    for key in evidence.per_image:
        _check_shape(evidence, key, (count,), "number")
        _check_values(evidence, key, Array((count,)), {})
    for one in evidence.resampling:
        if one.arrays.keys() & evidence.arrays.keys():
            _check_declared(evidence, one)


def _check_declared(evidence: Evidence, declared: Resampling) -> None:
    arrays = evidence.arrays
    sizes: dict[str | int, int] = {"N": evidence.images.size}
    missing = sorted(declared.arrays.keys() - arrays.keys())
    if missing:
        raise UserError(f"{evidence.path}: {', '.join(missing)} is missing")
    for key, one in declared.arrays.items():
        if arrays[key].ndim != len(one.axes):
            axes = ", ".join(map(str, one.axes))
            raise UserError(f"{evidence.path}: {key} has shape {arrays[key].shape}, not ({axes})")
        for axis, size in zip(one.axes, arrays[key].shape, strict=True):
            sizes.setdefault(axis, axis if isinstance(axis, int) else size)
    for key, one in declared.arrays.items():
        _check_shape(evidence, key, tuple(sizes[axis] for axis in one.axes), one.kind)
    if declared.check:
        pkgutil.resolve_name(declared.check)(evidence.path, arrays)
    for key, one in declared.arrays.items():
        _check_values(evidence, key, one, sizes)


def _check_shape(evidence: Evidence, key: str, expected: tuple[int, ...], kind: str) -> None:
    array = evidence.arrays[key]
    if array.shape != expected:
        raise UserError(f"{evidence.path}: {key} has shape {array.shape}, not {expected}")
    if array.dtype.kind not in DTYPES[kind]:
        raise UserError(f"{evidence.path}: {key} is of {array.dtype}")


def _check_values(evidence: Evidence, key: str, one: Array, sizes: dict[str | int, int]) -> None:
    array = evidence.arrays[key]
    if one.kind == "number" and not np.isfinite(array).all():
        raise UserError(f"{evidence.path}: {key} has values that are no finite numbers")
    largest = sizes[one.index] - 1 if one.index else LARGEST
    if one.kind == "count" and array.size and not 0 <= array.min() <= array.max() <= largest:
        raise UserError(f"{evidence.path}: {key} has values outside 0 to {largest}")
