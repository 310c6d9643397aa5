"""COCO's rule (pycocotools' COCOeval), for all detections of a class at once: which are right, which are left out.

COCOeval takes an image's detections one after the other, the best first, at ten IoU thresholds. Each takes the object
that it overlaps most of those that no better one has taken; of equals, the last. Only if there is none, it may match a
crowd (or an object of an impossible area) and is left out then; a crowd is never taken. The images are independent, so
here each of them hands in its n-th detection in round n. Equal to COCOeval to the last bit (tests).
"""

from typing import NamedTuple

import numpy as np

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0, 1, 101)
MAX_DETECTIONS = 100  # of an image and class
LARGEST_AREA = 1e10  # COCOeval's range "all" ends here
Arrays = tuple[np.ndarray, np.ndarray]


class Objects(NamedTuple):
    """Of one class, image by image: `image` (M,), rising; `box` (M, 4) as x y width height; `crowd` and `ignored`
    (M,): the crowds, and all that no detection has to find."""

    image: np.ndarray
    box: np.ndarray
    crowd: np.ndarray
    ignored: np.ndarray


def positions(group: np.ndarray) -> np.ndarray:
    """How many before each have the same `group` (D,)."""
    order = np.argsort(group, kind="stable")
    ranked = group[order]
    place = np.empty(len(group), dtype=np.int64)
    place[order] = np.arange(len(group)) - np.searchsorted(ranked, ranked)
    return place


def match(image: np.ndarray, box: np.ndarray, truth: Objects) -> Arrays:
    """Match the detections of one class.

    Args:
        image: of each detection, the best first, (D,).
        box: x, y, width, height in pixels, (D, 4).
        truth: the objects of the class.

    Returns:
        Which are right, and which are left out, at each threshold, (D, 10) and (D, 10).
    """
    matched, left = np.zeros((2, len(image), len(THRESHOLDS)), dtype=bool)
    taken = np.zeros((len(truth.image), len(THRESHOLDS)), dtype=bool)
    detection, target, share = candidates(image, box, truth)
    rows, starts, counts = np.unique(detection, return_index=True, return_counts=True)
    turn = positions(image[rows])
    for now in range(turn.max(initial=-1) + 1):
        which = np.flatnonzero(turn == now)
        ends = np.cumsum(counts[which])
        first = ends - counts[which]
        pairs = np.arange(ends[-1]) + np.repeat(starts[which] - first, counts[which])
        free = (share[pairs, None] >= THRESHOLDS) & ~taken[target[pairs]]
        best = np.maximum.reduceat(np.where(free, pairs[:, None], -1), first)  # the last: `candidates` has them so
        found, threshold = np.nonzero(best >= 0)
        objects, row = target[best[found, threshold]], rows[which[found]]
        matched[row, threshold] = True
        left[row, threshold] = truth.ignored[objects]
        taken[objects, threshold] = ~truth.crowd[objects]
    areas = box[:, 2] * box[:, 3]
    left |= ~matched & ((areas < 0) | (areas > LARGEST_AREA))[:, None]
    return matched & ~left, left


def candidates(image: np.ndarray, box: np.ndarray, truth: Objects) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The pairs (P,) of a detection and an object of its image that overlap enough for the lowest threshold, with their
    IoU: detection by detection, the one that it likes best last."""
    first, beyond = (np.searchsorted(truth.image, image, side) for side in ("left", "right"))
    counts = beyond - first
    detection = np.repeat(np.arange(len(image)), counts)
    target = np.arange(len(detection)) + np.repeat(first - (np.cumsum(counts) - counts), counts)
    share = overlap(box[detection], truth.box[target], truth.crowd[target])
    close = share >= THRESHOLDS[0]
    detection, target, share = detection[close], target[close], share[close]
    order = np.lexsort((target, share, ~truth.ignored[target], detection))
    return detection[order], target[order], share[order]


def overlap(one: np.ndarray, other: np.ndarray, crowd: np.ndarray) -> np.ndarray:
    """IoU (P,) of boxes (P, 4) and (P, 4), operation by operation as pycocotools; with a crowd, the share of the first
    box that lies in it."""
    sides = np.minimum(one[:, :2] + one[:, 2:], other[:, :2] + other[:, 2:]) - np.maximum(one[:, :2], other[:, :2])
    inside = (sides > 0).all(axis=1)
    shared = np.where(inside, sides[:, 0] * sides[:, 1], 0.0)
    area, others = one[:, 2] * one[:, 3], other[:, 2] * other[:, 3]
    union = np.where(crowd, area, area + others - shared)
    return np.divide(shared, union, out=np.zeros(len(union)), where=inside)


def precision(hit: np.ndarray, left: np.ndarray, objects: int) -> np.ndarray:
    """At ten thresholds and 101 recalls, (10, 101), as `accumulate`: -1 where there is no object.

    Args:
        hit: of the detections in rank order, (D, 10).
        left: likewise.
        objects: how many there are to find.
    """
    if not objects:
        return np.full((len(THRESHOLDS), len(RECALLS)), -1.0)
    values = np.zeros((len(THRESHOLDS), len(RECALLS)))
    counted = np.cumsum(~left, axis=0, dtype=np.float64)
    for threshold in range(len(THRESHOLDS)):
        seen = counted[hit[:, threshold], threshold]  # precision only rises at a hit
        right = np.arange(1, len(seen) + 1, dtype=np.float64)
        envelope = np.maximum.accumulate((right / (seen + np.spacing(1)))[::-1])[::-1]
        place = np.searchsorted(right / objects, RECALLS, side="left")
        reached = place < len(seen)
        values[threshold, reached] = envelope[place[reached]]
    return values
