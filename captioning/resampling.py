"""BLEU and METEOR in every resample of the test images at once, from sums of counts of each image (`per_image.npz`).

`bleu` (N, 10): matching n-grams for n = 1 to 4, n-grams of the caption, length of the caption and of the closest
reference. `meteor` (N, 23): METEOR's own statistics.
"""

from collections.abc import Callable

import numpy as np

TINY, SMALL = 1e-15, 1e-9  # pycocoevalcap's, against division by zero
ALPHA, BETA, GAMMA, DELTA = 0.85, 0.2, 0.6, 0.75  # METEOR's parameters for English
KINDS = np.array([1.0, 0.6, 0.8, 0.6])  # what a match of words, stems, synonyms and paraphrases counts

Metrics = dict[str, np.ndarray]
Scorer = Callable[[np.ndarray], Metrics]


def bleu(arrays: dict[str, np.ndarray]) -> Scorer:
    """BLEU-1 to BLEU-4 of the corpus, as pycocoevalcap's `BleuScorer` has it.

    Args:
        arrays: of the evidence; `bleu` (N, 10).

    Returns:
        A function of weights (N, B), how often each image is drawn in each resample: metric to percent (B,).
    """
    return lambda drawn: _bleu((drawn.T @ arrays["bleu"]).astype(np.float64))


def meteor(arrays: dict[str, np.ndarray]) -> Scorer:
    """METEOR 1.5 of the corpus (Denkowski and Lavie, WMT 2014; English), as its scorer makes it of the sums of its
    statistics: weighted precision and recall of matched words, less a penalty for the chunks they lie in.

    Args:
        arrays: of the evidence; `meteor` (N, 23).

    Returns:
        As `bleu`.
    """
    return lambda drawn: _meteor((drawn.T @ arrays["meteor"]).astype(np.float64))


def _bleu(sums: np.ndarray) -> Metrics:
    right, guessed, length, reference = sums[:, :4], sums[:, 4:8], sums[:, 8], sums[:, 9]
    product = np.cumprod((right + TINY) / (guessed + SMALL), axis=1)
    ratio = (length + TINY) / (reference + SMALL)
    brevity = np.where(ratio < 1, np.exp(np.minimum(1 - 1 / ratio, 0)), 1.0)
    return {f"BLEU-{n}": 100 * product[:, n - 1] ** (1 / n) * brevity for n in range(1, 5)}


def _meteor(sums: np.ndarray) -> Metrics:
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
