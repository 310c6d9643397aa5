"""The resampled metrics of a run, kept beside its evidence as `bootstrap.npz`: on COCO they take minutes a run, and the
report is made again at any time.

Each metric is (1 + B,): on the test images as they are, then in each resample. A file of other evidence, of another
number of resamples or of another method is made anew, and so is one that cannot be read or is not as it was written;
where none can be written, the next report takes as long.
"""

import contextlib
import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workflow.core.errors import UserError
from workflow.core.files import atomic, digest, open_regular
from workflow.reporting.statistics.bootstrap import RESAMPLES, Resampled, resample
from workflow.reporting.statistics.per_image import Evidence
from workflow.training.per_image import parse

METHOD = 1  # to be raised whenever the same evidence gives other resamples


def resampled(found: Evidence, done: Callable[[int], object]) -> dict[str, Resampled]:
    """Each metric that the evidence knows of; `done` is told of resamples as they are ready."""
    path, key = found.path.with_name("bootstrap.npz"), f"method {METHOD}, {RESAMPLES} of {found.sha256}"
    draws = _read(path, key)
    if draws is None:
        draws = resample(found, RESAMPLES, done)
        _keep(path, key, draws)
    else:
        done(RESAMPLES)
    return draws


def _read(path: Path, key: str) -> dict[str, Resampled] | None:
    """None if there is no such file, or not under this key."""
    try:
        with open_regular(path) as file:
            arrays = parse(path, file.read())
    except (OSError, UserError):
        return None
    fits = str(arrays.pop("key", "")) == key and str(arrays.pop("sha256", "")) == _digest(key, arrays)
    if not fits or any(array.shape != (1 + RESAMPLES,) or not np.isfinite(array).all() for array in arrays.values()):
        return None
    return {metric: Resampled(float(array[0]), array[1:]) for metric, array in arrays.items()}


def _keep(path: Path, key: str, draws: dict[str, Resampled]) -> None:
    arrays = {metric: np.array([one.point, *one.draws]) for metric, one in draws.items()}
    signed = {"key": np.array(key), "sha256": np.array(_digest(key, arrays))}
    with contextlib.suppress(OSError), atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **signed, **arrays)


def _digest(key: str, arrays: dict[str, np.ndarray]) -> str:
    """Of all draws: one that was changed must not move an interval."""
    hashes = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in arrays.items()}
    return digest([key, {name: [str(arrays[name].dtype), hashes[name]] for name in hashes}])
