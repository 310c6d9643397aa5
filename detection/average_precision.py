"""Average precision in every resample of the test images at once, with the whole precision-recall curve each time.

An image drawn k times brings its objects and detections k times; copies of a detection share its rank. Precision is
only needed where a hit is, so a class is a sparse matrix: how many detections of each image stand between a hit and the
one before. Times the draws of the images, summed along the hits, this is every curve.
Rules as in mmdet's `average_precision` (11 points, area) and pycocotools' `accumulate` (101 points).

The arrays of a run's `per_image.npz`: detections, ranked class by class as the scorer ranked them: `image`, `label`,
`score` (D,), and at each of T IoU thresholds `hit` and `left` (out of the count) (D, T); `truths` (N, C) counts the
objects. What stands below a class's last hit changes no average precision and may be absent.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.sparse import csr_array

from workflow.core.errors import UserError

THRESHOLDS = (1, 10)  # VOC's 0.5; COCO's 0.5 to 0.95
VOC_POINTS = np.arange(0, 1 + 1e-3, 0.1)  # with the scorers' own rounding, which decides at a recall of just 0.3
COCO_POINTS = np.linspace(0, 1, 101)


def check(path: Path, arrays: dict[str, np.ndarray]) -> None:
    """Whether the arrays are a ranking that these rules score.

    Args:
        path: the file that they are from.
        arrays: each of its shape and kind.

    Raises:
        UserError: if they are not.
    """
    thresholds = arrays["hit"].shape[1]
    if not arrays["truths"].shape[1]:
        raise UserError(f"{path}: truths has no class")
    if thresholds not in THRESHOLDS:
        raise UserError(f"{path}: hit has {thresholds} IoU thresholds, not 1 or 10")
    order = np.argsort(arrays["label"], kind="stable")
    label, score = arrays["label"][order], arrays["score"][order]
    if ((label[1:] == label[:-1]) & (score[1:] > score[:-1])).any():
        raise UserError(f"{path}: score rises within a class: the detections are not in rank order")


class Curve(NamedTuple):
    """What one class at one IoU threshold needs: `hits` (H,) are the images of the hits in rank order, `seen` (H, N)
    counts each image's detections after the hit before, up to the hit."""

    hits: np.ndarray
    seen: csr_array


def curve(image: np.ndarray, hit: np.ndarray, left: np.ndarray, images: int) -> Curve:
    """From detections in rank order: image index, hit or not, left out or not, all (D,); `images` is N."""
    image, hit = image[~left], hit[~left]
    before = np.cumsum(hit) - hit
    inside = before < np.count_nonzero(hit)
    ones = np.ones(np.count_nonzero(inside), dtype=np.int32)
    shape = (np.count_nonzero(hit), images)
    return Curve(image[hit], csr_array((ones, (before[inside], image[inside])), shape=shape))


class Traced(NamedTuple):
    """A curve in B resamples, all (H, B): right answers that a hit brings, right answers up to it, and the highest
    precision from it on."""

    gained: np.ndarray
    right: np.ndarray
    envelope: np.ndarray


def trace(curve: Curve, weights: np.ndarray) -> Traced:
    """The curve where image i is there weights[i, b] times; weights (N, B) of int32."""
    gained = weights[curve.hits]
    right = gained.cumsum(axis=0, dtype=np.int32)
    seen = (curve.seen @ weights).cumsum(axis=0, dtype=np.int32)
    precision = right / np.maximum(seen, 1)
    envelope = np.maximum.accumulate(precision[::-1], axis=0)[::-1]
    return Traced(gained, right, envelope)


def area(traced: Traced, truths: np.ndarray) -> np.ndarray:
    """Area under the envelope, (B,); `truths` (B,) is the number of objects, at least 1."""
    return (traced.gained * traced.envelope).sum(axis=0) / truths


def at_points(traced: Traced, truths: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Mean precision at the recalls `points` (P,), 0 where a recall is not reached; (B,)."""
    hits, resamples = traced.right.shape
    if not hits:
        return np.zeros(resamples)
    needed = np.ceil(points * truths[:, None])  # (B, P): the fewest right answers of that recall, up to rounding
    needed += needed / truths[:, None] < points
    needed -= (needed > 0) & ((needed - 1) / truths[:, None] >= points)
    step = int(traced.right.max()) + 2  # one sorted row a resample, end to end: one search finds all
    starts = np.arange(resamples)[:, None]
    rows = traced.right.T + step * starts
    place = np.searchsorted(rows.ravel(), np.minimum(needed, step - 1).astype(np.int64) + step * starts)
    place -= hits * starts
    reached = place < hits
    return np.where(reached, traced.envelope[np.where(reached, place, 0), starts], 0.0).mean(axis=1)


class Detections:
    """The detections of one run, from the arrays of its evidence: call with weights (N, B) for its metrics."""

    def __init__(self, arrays: dict[str, np.ndarray]) -> None:
        self.truths = arrays["truths"].astype(np.int32)  # (N, C)
        images, classes = self.truths.shape
        self.curves: list[list[Curve]] = []
        for label in range(classes):
            own = np.flatnonzero(arrays["label"] == label)
            image, hit, left = (arrays[key][own] for key in ("image", "hit", "left"))
            each = zip(hit.T, left.T, strict=True)
            self.curves.append([curve(image, *columns, images) for columns in each])

    def __call__(self, weights: np.ndarray) -> dict[str, np.ndarray]:
        """VOC's two rules where there is one IoU threshold, COCO's three numbers where there are ten; (B,) percent.

        A class without objects in a resample, and so without hits, is left out of its mean, as the scorers do.
        """
        truths = weights.T @ self.truths  # (B, C)
        rules = _coco if len(self.curves[0]) > 1 else _voc
        each = [
            rules([trace(one, weights) for one in own], n)
            for own, n in zip(self.curves, np.maximum(truths, 1).T, strict=True)
        ]
        counted = np.maximum((truths > 0).sum(axis=1), 1)
        return {key: 100 * sum(ap[key] for ap in each) / counted for key in each[0]}


def _voc(traced: list[Traced], truths: np.ndarray) -> dict[str, np.ndarray]:
    return {"mAP": at_points(traced[0], truths, VOC_POINTS), "mAP_area": area(traced[0], truths)}


def _coco(traced: list[Traced], truths: np.ndarray) -> dict[str, np.ndarray]:
    each = [at_points(one, truths, COCO_POINTS) for one in traced]
    return {"AP": np.mean(each, axis=0), "AP50": each[0], "AP75": each[5]}
