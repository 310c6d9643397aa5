"""The score threshold at which a detector's F1 is highest: a detector that is rarely sure is drawn there too."""

import numpy as np

from workflow.reporting.statistics.per_image import Evidence


def best_f1_score(scores: np.ndarray, evidence: Evidence) -> float | None:
    """The lowest score to draw, so that F1 at IoU 0.5 over all test images and classes is highest.

    Args:
        scores: of all detections (D,), in any order. `evidence` leaves out those below the last hit of a class; of
            these, detections of difficult objects count as wrong here.
        evidence: of the same run.

    Returns:
        The score of the last detection to draw; None if no detection finds an object.
    """
    hit, ignored = evidence.arrays["hit"][:, 0], evidence.arrays["left"][:, 0]
    of_hits = np.sort(evidence.arrays["score"][hit])[::-1]
    if not len(of_hits):
        return None
    found = np.arange(1, len(of_hits) + 1)
    counted = at_least(of_hits, scores) - at_least(of_hits, evidence.arrays["score"][ignored])
    f1 = 2 * found / (counted + evidence.arrays["truths"].sum())
    return float(of_hits[np.argmax(f1)])


def at_least(thresholds: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """How many of `scores` are not below each threshold."""
    ordered = np.sort(np.asarray(scores, np.float32))
    return len(ordered) - np.searchsorted(ordered, np.asarray(thresholds, np.float32), side="left")
