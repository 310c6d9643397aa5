"""The area under the ROC curve in percent: of each class against all others, and the mean over the classes."""

from collections.abc import Callable, Mapping

import numpy as np


def auroc(score: np.ndarray, label: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The metric in each resample.

    Args:
        score: of each image for each class, (N, C).
        label: class of each image, (N,).
        weights: how often each image is drawn in each resample, (N, B).

    Returns:
        Percent, (B,): 50 is chance. A class without an image, or with all of them, has no part in the mean.
    """
    areas = np.stack([_area(score[:, c], label == c, weights) for c in range(score.shape[1])])
    defined = np.isfinite(areas)
    return 100 * np.where(defined, areas, 0).sum(axis=0) / np.maximum(defined.sum(axis=0), 1)


def resampled(arrays: Mapping[str, np.ndarray]) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The scorer of the evidence: function of weights (N, B) that returns metric to (B,)."""
    return lambda weights: {"auroc": auroc(arrays["score"], arrays["label"], weights)}


def _area(score: np.ndarray, positive: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Share of the pairs of a positive and a negative image in which the positive has the larger score, (B,); equal
    scores are half a pair; NaN without pairs."""
    values, place = np.unique(score, return_inverse=True)
    hits, misses = (np.zeros((len(values), weights.shape[1])) for _ in range(2))
    np.add.at(hits, place[positive], weights[positive])
    np.add.at(misses, place[~positive], weights[~positive])
    won = (hits * (misses.cumsum(axis=0) - misses / 2)).sum(axis=0)
    pairs = hits.sum(axis=0) * misses.sum(axis=0)
    return np.divide(won, pairs, out=np.full_like(won, np.nan), where=pairs > 0)
