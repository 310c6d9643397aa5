"""The benchmark of Choe et al. (CVPR 2020) once more, from its description and in plain loops: one map, one threshold
and one box at a time. Nothing of `localization` is used."""

import cv2
import numpy as np

IOUS = (0.3, 0.5, 0.7)


def grey(scores):
    """A map (H, W) of any range as 8 bits."""
    low, high = scores.min(), scores.max()
    if not np.isfinite(scores).all() or high == low:
        return np.zeros(scores.shape, dtype=np.uint8)
    return (255 * ((scores - low) / (high - low))).astype(np.uint8)


def boxes_of(image, tau, several):
    """[[x0, y0, x1, y1], ...] of a map of 8 bits at a threshold: of the largest contour, or of all."""
    mask = np.where(image > int(tau * image.max()), 255, 0).astype(np.uint8)
    contours = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)[-2]
    if len(contours) == 0:
        return [[0, 0, 0, 0]]
    found = []
    for contour in contours if several else [max(contours, key=cv2.contourArea)]:
        x, y, width, height = cv2.boundingRect(contour)
        found.append([x, y, min(x + width, image.shape[1] - 1), min(y + height, image.shape[0] - 1)])
    return found


def iou(one, other):
    """Of two boxes with their last pixels."""
    width = min(one[2], other[2]) - max(one[0], other[0]) + 1
    height = min(one[3], other[3]) - max(one[1], other[1]) + 1
    if width <= 0 or height <= 0:
        return 0.0
    areas = [(x1 - x0 + 1) * (y1 - y0 + 1) for x0, y0, x1, y1 in (one, other)]
    return width * height / (sum(areas) - width * height)


def best_fit(image, tau, truth, several):
    """The best IoU of any box with any true one."""
    return max(iou(box, true) for box in boxes_of(image, tau, several) for true in truth)


def box_accuracy(images, truths, tau, delta, several):
    """Percent of images that are right: at least `delta`."""
    hits = [best_fit(image, tau, truth, several) >= delta for image, truth in zip(images, truths, strict=True)]
    return 100 * sum(hits) / len(hits)


def max_box_acc(images, truths, taus):
    """(MaxBoxAcc, MaxBoxAccV2): the best threshold common to all images; V2 has one for each IoU."""
    first = max(box_accuracy(images, truths, tau, 0.5, several=False) for tau in taus)
    second = [max(box_accuracy(images, truths, tau, delta, several=True) for tau in taus) for delta in IOUS]
    return first, sum(second) / len(second)


def top1_loc(images, truths, right, sigma):
    """The paper's: the largest region at 0.15 of the maximum, IoU above 0.5, and the class right."""
    hits = [best_fit(image, sigma, truth, several=False) > 0.5 and good
            for image, truth, good in zip(images, truths, right, strict=True)]  # fmt: skip
    return 100 * sum(hits) / len(hits)
