"""Resamples of the test images, and every metric of a run in each of them.

A resample draws as many images as there are, with replacement. The draws are counted: resample b of N images is the
same for every run, so differences are paired, and the same records give the same bytes.
"""

import pkgutil
from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from workflow.core.rng import rng
from workflow.reporting.statistics.per_image import Evidence

RESAMPLES = 1000
CHUNK = 100  # resamples at a time: bounds the memory

Metrics = dict[str, np.ndarray]


class Resampled(NamedTuple):
    """A metric of one run, in its unit: on the test images as they are, and in each resample (B,)."""

    point: float
    draws: np.ndarray


def weights(images: int, resamples: int = RESAMPLES) -> Iterator[np.ndarray]:
    """How often each image is drawn in each resample, (N, b) of int32 in pieces of at most CHUNK resamples."""
    for start in range(0, resamples, CHUNK):
        drawn = rng("bootstrap", images, start).integers(images, size=(CHUNK, images))
        counts = [np.bincount(one, minlength=images) for one in drawn[: resamples - start]]
        yield np.ascontiguousarray(np.array(counts, dtype=np.int32).T)


def resample(
    evidence: Evidence, resamples: int = RESAMPLES, done: Callable[[int], object] = lambda _: None
) -> dict[str, Resampled]:
    """Each metric that the evidence knows of; none for what was not scored. `done` is told of resamples as they are
    ready."""
    count = len(evidence.images)
    scorers = _scorers(evidence)
    if not scorers:
        return {}
    once = np.ones((count, 1), dtype=np.int32)
    point = _all(scorers, once)
    pieces = []
    for drawn in weights(count, resamples):
        pieces.append(_all(scorers, drawn))
        done(drawn.shape[1])
    return {
        key: Resampled(float(value[0]), np.concatenate([piece[key] for piece in pieces]))
        for key, value in point.items()
    }


def _scorers(evidence: Evidence) -> list[Callable[[np.ndarray], Metrics]]:
    scorers: list[Callable[[np.ndarray], Metrics]] = []
    if evidence.per_image:
        scorers.append(lambda drawn: means(evidence.per_image, drawn))
    return scorers + [pkgutil.resolve_name(one.scorer)(evidence.arrays) for one in evidence.scored]


def _all(scorers: list[Callable[[np.ndarray], Metrics]], drawn: np.ndarray) -> Metrics:
    return {key: value for scorer in scorers for key, value in scorer(drawn).items()}


def means(values: Metrics, drawn: np.ndarray) -> Metrics:
    """Metrics that are a mean over the images: values (N,), drawn (N, B)."""
    return {key: value @ drawn / len(value) for key, value in values.items()}
