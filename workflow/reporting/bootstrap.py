"""Resamples of the test images, and every metric of a run in each of them.

A resample draws as many images as there are, with replacement. The draws are counted: resample b of N images is the
same for every run, so differences are paired, and the same records give the same bytes.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

import numpy as np

from workflow.reporting.average_precision import Detections
from workflow.reporting.evidence import Evidence
from workflow.training.rng import rng

RESAMPLES = 1000
CHUNK = 100  # resamples at a time: bounds the memory
TINY, SMALL = 1e-15, 1e-9  # pycocoevalcap's, against division by zero
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75  # METEOR's parameters for English
KINDS = np.array([1.0, 0.6, 0.8, 0.6])  # what a match of words, stems, synonyms and paraphrases counts

Metrics = dict[str, np.ndarray]


class Resampled(NamedTuple):
    """A metric of one run in percent: on the test images as they are, and in each resample (B,)."""

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
    if "bleu" in evidence.arrays:
        scorers.append(lambda drawn: bleu(evidence.arrays["bleu"], drawn))
    if "meteor" in evidence.arrays:
        scorers.append(lambda drawn: meteor(evidence.arrays["meteor"], drawn))
    if evidence.detects:
        scorers.append(Detections(evidence.arrays))
    return scorers


def _all(scorers: list[Callable[[np.ndarray], Metrics]], drawn: np.ndarray) -> Metrics:
    return {key: value for scorer in scorers for key, value in scorer(drawn).items()}


def means(values: Metrics, drawn: np.ndarray) -> Metrics:
    """Metrics that are a mean over the images: values (N,), drawn (N, B)."""
    return {key: value @ drawn / len(value) for key, value in values.items()}


def bleu(counts: np.ndarray, drawn: np.ndarray) -> Metrics:
    """BLEU-1 to BLEU-4 of the corpus, as pycocoevalcap's `BleuScorer` has it, from counts (N, 10)."""
    sums = (drawn.T @ counts).astype(np.float64)
    right, guessed, length, reference = sums[:, :4], sums[:, 4:8], sums[:, 8], sums[:, 9]
    product = np.cumprod((right + TINY) / (guessed + SMALL), axis=1)
    ratio = (length + TINY) / (reference + SMALL)
    brevity = np.where(ratio < 1, np.exp(np.minimum(1 - 1 / ratio, 0)), 1.0)
    return {f"BLEU-{n}": 100 * product[:, n - 1] ** (1 / n) * brevity for n in range(1, 5)}


def meteor(counts: np.ndarray, drawn: np.ndarray) -> Metrics:
    """METEOR 1.5 of the corpus (Denkowski and Lavie, WMT 2014; English), as its scorer makes it of the sums of its
    statistics (N, 23): weighted precision and recall of matched words, less a penalty for the chunks they lie in."""
    sums = (drawn.T @ counts).astype(np.float64)
    (said, meant, said_function, meant_function), matched = sums[:, :4].T, sums[:, 4:20].reshape(-1, 4, 4)
    content, function = matched[:, :, :2], matched[:, :, 2:]
    weighed = np.einsum("bkc,k->cb", DELTA * content + (1 - DELTA) * function, KINDS)
    lengths = [
        DELTA * (all_ - some) + (1 - DELTA) * some for all_, some in ((said, said_function), (meant, meant_function))
    ]
    precision, recall = weighed / np.maximum(lengths, TINY)
    mean = precision * recall / np.maximum(ALPHA * precision + (1 - ALPHA) * recall, TINY)
    fragments = sums[:, 20] / np.maximum((sums[:, 21] + sums[:, 22]) / 2, TINY)
    return {"METEOR": 100 * mean * (1 - GAMMA * fragments**BETA)}
