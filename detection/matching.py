"""VOC's rule (VOCevaldet.m), for detections of many images and classes at once: which are right, which are left out.

Each looks at the object of its class and image that it overlaps most (the first of equals), difficult ones among them.
Below IoU 0.5 it is wrong; on a difficult object it is left out; else the best-ranked one is right and the others wrong.
Equal to mmdet's `tpfp_default`, which is called for one image and class, to the last detection (tests).
"""

from typing import NamedTuple

import numpy as np


class Objects(NamedTuple):
    """All that are there, by image and class: `group` (M,), rising, is image × classes + class; `box` (M, 4) as
    x1 y1 x2 y2; `difficult` (M,)."""

    group: np.ndarray
    box: np.ndarray
    difficult: np.ndarray


def objects(truth: list[dict], classes: int) -> Objects:
    """From mmdet's annotations; in a group the difficult ones come last."""
    parts = []
    for kind in ("", "_ignore"):
        counts = [len(one[f"labels{kind}"]) for one in truth]
        boxes = np.concatenate([np.zeros((0, 4), np.float32), *(one[f"bboxes{kind}"] for one in truth)])
        labels = np.concatenate([np.zeros(0, int), *(one[f"labels{kind}"] for one in truth)])
        groups = np.repeat(np.arange(len(truth)), counts) * classes + labels
        parts.append((groups, boxes.astype(np.float32), np.full(len(labels), bool(kind))))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.argsort(columns[0], kind="stable")
    return Objects(*(column[order] for column in columns))


def judge(group: np.ndarray, box: np.ndarray, truth: Objects) -> tuple[np.ndarray, np.ndarray]:
    """Which detections, of each group the best first, are right and which are left out: (D,) and (D,)."""
    hit, left = np.zeros((2, len(group)), dtype=bool)
    first, beyond = (np.searchsorted(truth.group, group, side) for side in ("left", "right"))
    near = np.flatnonzero(beyond > first)  # those with any object of the group beside them
    counts = (beyond - first)[near]
    starts = np.cumsum(counts) - counts
    other = np.arange(counts.sum()) + np.repeat(first[near] - starts, counts)
    shares = overlap(box[np.repeat(near, counts)], truth.box[other])
    most = np.maximum.reduceat(shares, starts) if len(near) else shares
    other[shares < np.repeat(most, counts)] = len(truth.group)
    best = np.minimum.reduceat(other, starts) if len(near) else other
    close = most >= 0.5
    rows, found = near[close], best[close]
    left[rows] = truth.difficult[found]
    rows, found = rows[~left[rows]], found[~left[rows]]
    hit[rows[np.unique(found, return_index=True)[1]]] = True
    return hit, left


def overlap(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """IoU (n,) of boxes (n, 4) and (n, 4), whose last pixel belongs to them; in float32, operation by operation as
    mmdet's `bbox_overlaps`."""
    sides = np.minimum(one[:, 2:], other[:, 2:]) - np.maximum(one[:, :2], other[:, :2]) + 1
    shared = np.maximum(sides[:, 0], 0) * np.maximum(sides[:, 1], 0)
    areas = [(box[:, 2] - box[:, 0] + 1) * (box[:, 3] - box[:, 1] + 1) for box in (one, other)]
    return shared / np.maximum(areas[0] + areas[1] - shared, 1e-6)
