"""The resampled metrics of a run, kept beside its evidence as `resamples.npz`: on COCO they take minutes a run, and the
report is made again at any time.

Each metric is (1 + B,): on the test images as they are, then in each resample. A file of other evidence, of another
number of resamples or of another method is made anew, and so is one that cannot be read; where none can be written,
the next report takes as long.
"""

import contextlib
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np

from workflow.reporting.bootstrap import RESAMPLES, Resampled, resample
from workflow.reporting.evidence import Evidence
from workflow.training.files import atomic, sha256

METHOD = 1  # to be raised whenever the same evidence gives other resamples


def resampled(found: Evidence, done: Callable[[int], object]) -> dict[str, Resampled]:
    """Each metric that the evidence knows of; `done` is told of resamples as they are ready."""
    path, key = found.path.with_name("resamples.npz"), f"method {METHOD}, {RESAMPLES} of {sha256(found.path)}"
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
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
    if str(arrays.pop("key", "")) != key or any(array.shape != (1 + RESAMPLES,) for array in arrays.values()):
        return None
    return {metric: Resampled(float(array[0]), array[1:]) for metric, array in arrays.items()}


def _keep(path: Path, key: str, draws: dict[str, Resampled]) -> None:
    arrays = {metric: np.array([one.point, *one.draws]) for metric, one in draws.items()}
    with contextlib.suppress(OSError), atomic(path) as temporary, temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, key=np.array(key), **arrays)
