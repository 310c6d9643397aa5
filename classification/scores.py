"""From predictions to the metrics of a run in percent, on the test images as they are and in resamples."""

import hashlib
from collections.abc import Callable, Mapping

import numpy as np

from workflow.core.rng import rng

Arrays = Mapping[str, np.ndarray]
Scorer = Callable[[np.ndarray], dict[str, np.ndarray]]
PARTS = ("train", "val")  # of the training set, whose errors stand next to that of the test


def evidence(predicted: np.ndarray, label: np.ndarray) -> dict[str, np.ndarray]:
    """The arrays of per_image.npz that all tasks have.

    Args:
        predicted: class of each test image, (N,); -1 is none.
        label: the true one, (N,).
    """
    wrong = predicted != label
    return {"top1_error": 100.0 * wrong, "wrong": wrong, "label": label.astype(np.int32)}


def metrics(arrays: Arrays) -> dict[str, float]:
    """The metrics of arrays of per_image.npz."""
    every = np.ones((len(arrays["label"]), 1), dtype=np.int32)
    scorers = [mean_per_class_error(arrays)] + ([part_errors(arrays)] if "val_wrong" in arrays else [])
    found = {"top1_error": float(arrays["top1_error"].mean())}
    return found | {name: float(value[0]) for scorer in scorers for name, value in scorer(every).items()}


def mean_per_class_error(arrays: Arrays) -> Scorer:
    """The scorer of the error of each class, and the mean over them: a function of weights (N, B). A class without an
    image in a resample has no part in its mean."""
    order = np.argsort(arrays["label"], kind="stable")
    first = np.unique(arrays["label"][order], return_index=True)[1]
    wrong = arrays["wrong"][order, None]

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = weights[order].astype(np.int64)
        images, errors = (np.add.reduceat(each, first, axis=0) for each in (drawn, drawn * wrong))
        rates = np.divide(errors, images, out=np.zeros(images.shape), where=images > 0)
        return {"mean_per_class_error": 100 * rates.sum(axis=0) / (images > 0).sum(axis=0)}

    return score


def part_errors(arrays: Arrays) -> Scorer:
    """The scorer of the errors on parts of the training set, whose images are drawn next to those of the test: what is
    drawn of a part follows from the weights (N, B), so it is the same for every run."""

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        as_they_are, drawn = bool((weights == 1).all()), hashlib.sha256(np.ascontiguousarray(weights)).hexdigest()
        found = {}
        for part in PARTS:
            wrong, shape = arrays[f"{part}_wrong"], (weights.shape[1], len(arrays[f"{part}_wrong"]))
            chosen = np.arange(shape[1])[None] if as_they_are else rng(part, drawn).integers(shape[1], size=shape)
            found[f"{part}_error"] = 100.0 * wrong[chosen].mean(axis=1)
        return found

    return score
