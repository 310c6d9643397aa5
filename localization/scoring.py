"""The metrics of localization in percent, from how well boxes fit at each threshold: of the benchmark (Choe et al.,
CVPR 2020), with thresholds that are chosen on held-out images, and of the paper, with its own."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from localization.boxes import Overlaps, level, threshold

IOUS = (0.3, 0.5, 0.7)  # of MaxBoxAccV2
HALF = IOUS.index(0.5)


@dataclass(frozen=True)
class Chosen:
    """The levels that are best on held-out images, the lowest of equals.

    Args:
        largest: of the largest contour's box at IoU 0.5: MaxBoxAcc.
        best: of the best contour's box, for each of IOUS: MaxBoxAccV2.
    """

    largest: int
    best: tuple[int, ...]

    def thresholds(self) -> dict[str, float | dict[str, float]]:
        """As thresholds, for the record."""
        best = {str(iou): threshold(one) for iou, one in zip(IOUS, self.best, strict=True)}
        return {"MaxBoxAcc": threshold(self.largest), "MaxBoxAccV2": best}


def box_accuracy(fits: np.ndarray, iou: float) -> np.ndarray:
    """Share of images whose box fits at each level, percent: IoU float32 (N, LEVELS) to (LEVELS,)."""
    return 100 * (fits >= np.float32(iou)).mean(axis=0)


def curves(overlaps: Overlaps) -> dict[str, np.ndarray]:
    """Box accuracy over levels, percent (LEVELS,): `BoxAcc` of the largest contour at IoU 0.5; `BoxAccV2` of the best
    contour, the mean over IOUS."""
    best = np.mean([box_accuracy(overlaps.best, iou) for iou in IOUS], axis=0)
    return {"BoxAcc": box_accuracy(overlaps.largest, IOUS[HALF]), "BoxAccV2": best}


def choose(held_out: Overlaps) -> Chosen:
    """The best levels on held-out images."""
    best = tuple(int(box_accuracy(held_out.best, iou).argmax()) for iou in IOUS)
    return Chosen(int(box_accuracy(held_out.largest, IOUS[HALF]).argmax()), best)


def per_image(test: Overlaps, right: np.ndarray, chosen: Chosen, sigma: float) -> dict[str, np.ndarray]:
    """Each metric of each test image, 0 to 100, float64 (N,); a metric is their mean.

    Args:
        test: of N images.
        right: whether the predicted class is the true one, (N,).
        chosen: levels.
        sigma: the paper's threshold, at which the IoU must be above 0.5.
    """
    known = test.largest[:, level(sigma)] > np.float32(IOUS[HALF])
    fitting = [test.best[:, one] >= np.float32(iou) for iou, one in zip(IOUS, chosen.best, strict=True)]
    values = {
        "MaxBoxAccV2": np.mean(fitting, axis=0),
        "MaxBoxAcc": test.largest[:, chosen.largest] >= np.float32(IOUS[HALF]),
        "GT-known": known,
        "Top-1 Loc": known & right,
        "top1_error": ~right,
    }
    return {name: 100.0 * value for name, value in values.items()}


def means(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """The metrics."""
    return {name: float(value.mean()) for name, value in values.items()}
