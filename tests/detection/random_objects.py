"""Random objects of a batch: several to an image or none, boxes that are equal or tie, ignored ones."""

import numpy as np
import torch
from mmengine.structures import InstanceData

from workflow.core.rng import rng

CLASSES = 4
GRID = 8  # px, on which corners lie, so that overlaps tie


def objects(draw: np.random.Generator, size: int) -> InstanceData:
    """Up to six objects in an image of `size` pixels; of three or more, two have the same box."""
    count = int(draw.integers(0, 7))
    corners, sides = (draw.integers(low, size // GRID // 2, (count, 2)) for low in (0, 1))
    boxes = GRID * np.concatenate([corners, corners + sides], axis=1).astype(np.float32)
    if count > 2:
        boxes[2] = boxes[0]
    return InstanceData(
        bboxes=torch.from_numpy(boxes), labels=torch.from_numpy(draw.integers(0, CLASSES, count).astype(np.int64))
    )


def batch(seed: int, images: int = 6, size: int = 96) -> tuple[list[InstanceData], list[InstanceData]]:
    """The objects and the ignored ones of each image; the first has neither, the second no objects."""
    draw = rng("objects", seed)
    true, ignored = ([objects(draw, size) for _ in range(images)] for _ in range(2))
    true[:2], ignored[0] = [true[0][:0], true[1][:0]], ignored[0][:0]
    return true, ignored
