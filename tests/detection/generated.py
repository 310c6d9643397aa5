"""Generated truth and detections: objects found well, badly, twice or not at all, and boxes of nothing."""

import numpy as np

from workflow.core.rng import rng


def objects(draw: np.random.Generator, apart: bool) -> np.ndarray:
    """Up to five boxes (n, 4) as x1 y1 x2 y2 of whole pixels; `apart`: none touches another."""
    count = int(draw.integers(0, 6))
    sides, corners = draw.integers(12, 60, (count, 2)), draw.integers(1, 120, (count, 2))
    if apart:
        corners = corners % 30 + 100 * np.arange(count)[:, None]
    return np.concatenate([corners, corners + sides], axis=1)


def world(
    seed: int, images: int, classes: int, digits: int = 2, apart: bool = False, hard: float = 0.2
) -> tuple[list[int], list[dict], list[dict]]:
    """(image ids, mmdet's annotation of each, detections as COCO results).

    Scores have `digits` decimals, so with two many are equal; `hard` is the share of difficult objects. The last class
    has no object at all, the one before only difficult ones (if any are), and class 0 is never found.
    """
    draw = rng("generated", seed)
    ids, truth, found = [7 * i + 3 for i in range(images)], [], []
    for image in ids:
        boxes = objects(draw, apart)
        labels = draw.integers(0, classes - 1, len(boxes))
        difficult = (draw.random(len(boxes)) < hard) | ((labels == classes - 2) & (hard > 0))
        pairs = [(box, label) for box, label in zip(boxes, labels, strict=True) for _ in range(draw.integers(0, 3))]
        pairs += [(box, draw.integers(0, classes)) for box in objects(draw, False)]
        for box, label in (pair for pair in pairs if pair[1] != 0):
            x, y, right, bottom = (box + draw.normal(0, 4, 4)).round(2)
            side = [round(float(max(1, value)), 2) for value in (right - x, bottom - y)]
            one = {"image_id": image, "category_id": int(label) + 1, "bbox": [float(x), float(y), *side]}
            found.append({**one, "score": round(float(draw.random()), digits)})
        kinds = {"": ~difficult, "_ignore": difficult}
        parts = {f"bboxes{kind}": boxes[which].astype(np.float32) for kind, which in kinds.items()}
        truth.append(parts | {f"labels{kind}": labels[which] for kind, which in kinds.items()})
    return ids, truth, found
