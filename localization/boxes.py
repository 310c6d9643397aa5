"""From a class activation map to boxes, and how well they fit: the rules of the benchmark wsolevaluation (Choe et al.,
CVPR 2020). A map has 8 bits, so thresholding it gives 255 different masks at most: `map > k` for k = 0 … 254, where k
is the whole part of τ·255. All of them are scored once; every metric reads the result."""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional

LEVELS = 255  # k = 0 … 254
EMPTY = (0, 0, 0, 0)  # of a mask without foreground


def level(threshold: float) -> int:
    """The level k of a threshold τ, a share of a map's maximum, 0 ≤ τ < 1."""
    return int(threshold * LEVELS)


def threshold(level: int) -> float:
    """The smallest threshold of a level, to three decimals, as the benchmark counts: 0, 0.001 … 0.999."""
    return -(-level * 1000 // LEVELS) / 1000


def quantize(maps: torch.Tensor, size: int, normalization: str, interpolation: str) -> np.ndarray:
    """Maps as images of 8 bits.

    Args:
        maps: (N, h, w), of any range.
        size: side that they are resized to, px.
        normalization: `minmax` takes each map's own range to 0 … 255; `max` its maximum to 255, what is negative to 0.
        interpolation: `bicubic` or `bilinear`.

    Returns:
        uint8 (N, size, size). A map that is constant, not finite or (`max`) nowhere positive is all zeros.
    """
    large = functional.interpolate(maps[:, None].float(), size=(size, size), mode=interpolation)[:, 0].double()
    low = large.amin(dim=(1, 2), keepdim=True) if normalization == "minmax" else torch.zeros_like(large[:, :1, :1])
    span = large.amax(dim=(1, 2), keepdim=True) - low
    usable = large.isfinite().all(dim=2, keepdim=True).all(dim=1, keepdim=True) & (span > 0)
    scaled = torch.where(usable, (large - low) / torch.where(usable, span, 1), 0).clamp(0, 1)
    return (scaled * LEVELS).to(torch.uint8).cpu().numpy()


def contours(image: np.ndarray, level: int) -> tuple[list[Sequence[int]], int]:
    """The contours of a mask.

    Args:
        image: uint8 (H, W).
        level: k of the mask `image > k`.

    Returns:
        (x, y, width, height) of each contour, those of holes too; and the place of the one with the largest area.
    """
    _, mask = cv2.threshold(image, level, 1, cv2.THRESH_BINARY)
    outlines, _ = cv2.findContours(mask, cv2.RETR_TREE, cv2.CHAIN_APPROX_SIMPLE)
    largest = int(np.argmax([cv2.contourArea(outline) for outline in outlines])) if len(outlines) > 1 else 0
    return [cv2.boundingRect(outline) for outline in outlines] or [EMPTY], largest


def as_boxes(rectangles: Sequence[Sequence[int]], side: tuple[int, ...]) -> np.ndarray:
    """(x, y, width, height) as (x0, y0, x1, y1), float (M, 4), cut to an image of `side` (H, W): x1 is x + width, but
    at most the last pixel, as in the benchmark."""
    boxes = np.array(rectangles, dtype=float)
    boxes[:, 2:] = np.minimum(boxes[:, :2] + boxes[:, 2:], (side[1] - 1, side[0] - 1))
    return boxes


def largest_box(image: np.ndarray, level: int) -> np.ndarray:
    """The box (4,) of the largest contour of a mask, as `contours` finds it; (0, 0, 0, 0) if the mask is empty."""
    rectangles, place = contours(image, level)
    return as_boxes(rectangles, image.shape)[place]


def iou(boxes: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Overlap of boxes (M, 4) with true ones (K, 4), (x0, y0, x1, y1) with their last pixels: (M, K)."""
    low, high = np.maximum(boxes[:, None, :2], truth[None, :, :2]), np.minimum(boxes[:, None, 2:], truth[None, :, 2:])
    inside = np.prod(np.maximum(high - low + 1, 0), axis=2)
    areas = [np.prod(group[:, 2:] - group[:, :2] + 1, axis=1) for group in (boxes, truth)]
    return inside / (areas[0][:, None] + areas[1][None] - inside)


@dataclass(frozen=True)
class Overlaps:
    """How well the boxes of N images fit at each level; of several true boxes the best fitting one counts.

    Args:
        largest: IoU of the box of the largest contour by area, float32 (N, LEVELS).
        best: IoU of the best of the boxes of all contours, float32 (N, LEVELS).
    """

    largest: np.ndarray
    best: np.ndarray


@dataclass(frozen=True)
class LevelBoxes:
    """The boxes of a map at all levels.

    Args:
        boxes: of all different masks, one mask after the other, (M, 4).
        starts: place of the first box of each mask.
        largest: place of the box of the largest contour of each mask.
        mask: which mask each level has, (LEVELS,).
    """

    boxes: np.ndarray
    starts: np.ndarray
    largest: np.ndarray
    mask: np.ndarray

    @classmethod
    def of(cls, image: np.ndarray) -> "LevelBoxes":
        """Those of a map, uint8 (H, W)."""
        present = np.zeros(LEVELS + 1, dtype=bool)
        present[image.ravel()] = True
        different = np.flatnonzero(present[:LEVELS] | (np.arange(LEVELS) == 0))  # else the mask of the level before
        masks = [contours(image, k) for k in different.tolist()]
        starts = np.cumsum([0, *(len(rectangles) for rectangles, _ in masks[:-1])])
        boxes = as_boxes([one for rectangles, _ in masks for one in rectangles], image.shape)
        mask = np.searchsorted(different, np.arange(LEVELS), side="right") - 1
        return cls(boxes, starts, starts + [place for _, place in masks], mask)

    def fits(self, truth: np.ndarray) -> np.ndarray:
        """IoU of the largest and of the best box at each level with the true boxes (K, 4): (2, LEVELS)."""
        overlap = iou(self.boxes, np.asarray(truth, dtype=float)).max(axis=1)
        return np.stack([overlap[self.largest][self.mask], np.maximum.reduceat(overlap, self.starts)[self.mask]])


def overlaps(images: Sequence[np.ndarray], truth: Sequence[np.ndarray]) -> Overlaps:
    """Score maps at all levels.

    Args:
        images: uint8 (H, W) each; one object that stands several times is boxed once.
        truth: true boxes (K, 4) of each, in px of the map, with their last pixels.
    """
    fits = np.zeros((2, len(images), LEVELS), dtype=np.float32)
    last: tuple[np.ndarray, LevelBoxes] | None = None
    for place, (image, true) in enumerate(zip(images, truth, strict=True)):
        if last is None or last[0] is not image:
            last = image, LevelBoxes.of(image)
        fits[:, place] = last[1].fits(true)
    return Overlaps(*fits)


def to_map(boxes: np.ndarray, width: int, height: int, resize: int, crop: int) -> np.ndarray:
    """True boxes on the map of a photo that was resized to a square and cropped in its centre.

    Args:
        boxes: (K, 4) in px of the photo.
        width, height: of the photo, px.
        resize: side of the square, px.
        crop: side of the crop, px.

    Returns:
        Whole pixels (K, 4), truncated as the benchmark does; what is beyond the crop is cut off.
    """
    scaled = np.trunc(np.asarray(boxes, dtype=float) * ([resize / width, resize / height] * 2))
    return np.clip(scaled - (resize - crop) // 2, 0, crop - 1 if crop < resize else crop)
