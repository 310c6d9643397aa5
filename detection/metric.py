"""VOC's mean average precision at IoU 0.5, by mmdet's `eval_map`, from detections in COCO's results format.

What is scored is what is written to disk, rounding included: `detection.evaluate` finds the same numbers again.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation.functional import average_precision, eval_map
from mmdet.evaluation.metrics import VOCMetric
from mmdet.registry import METRICS

from workflow.training.errors import UserError
from workflow.training.files import atomic

Detection = dict[str, Any]


def numbers(names: Sequence[str]) -> list[int]:
    """COCO's integer ids of VOC's images: their digits, `2008_000008` is 2008000008. UserError if two share one."""
    taken: dict[int, str] = {}
    for name in names:
        digits = re.sub(r"\D", "", name)
        if not digits:
            raise UserError(f"VOC image '{name}': its name has no digits, so its detections can have no image_id")
        if taken.setdefault(int(digits), name) != name:
            raise UserError(f"VOC images '{taken[int(digits)]}' and '{name}' have the same digits, so one image_id")
    return [int(re.sub(r"\D", "", name)) for name in names]


def detections(image: int, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray) -> list[Detection]:
    """COCO results of one image: boxes (n, 4) as x1 y1 x2 y2 in pixels of the original, label 0 is category 1."""
    corners = boxes.astype(np.float64)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).round(2)
    return [
        {"image_id": image, "category_id": int(label) + 1, "bbox": box.tolist(), "score": round(float(score), 6)}
        for box, score, label in zip(sides, scores, labels, strict=True)
    ]


def score(found: list[Detection], images: list[int], truth: list[dict], classes: Sequence[str]) -> dict[str, Any]:
    """`mAP` (11 points) and `mAP_area` in percent, and the 11-point AP of each class (None: not in the test set).

    `truth` holds, for each of `images`, mmdet's annotation: bboxes, labels, bboxes_ignore, labels_ignore; the ignored
    ones are VOC's difficult objects. Boxes are as VOC counts them: the last pixel belongs to the box.
    """
    place = {image: i for i, image in enumerate(images)}
    rows: list[list[list]] = [[[] for _ in classes] for _ in images]
    for one in found:
        x, y, width, height = one["bbox"]
        rows[place[one["image_id"]]][one["category_id"] - 1].append((x, y, x + width, y + height, one["score"]))
    tables = [[np.array(row, dtype=np.float32).reshape(-1, 5) for row in image] for image in rows]
    how = {"iou_thr": 0.5, "eval_mode": "11points", "use_legacy_coordinate": True}
    mean, parts = eval_map(tables, truth, dataset=tuple(classes), logger="silent", nproc=1, **how)
    present = [part for part in parts if part["num_gts"]]
    area = [average_precision(part["recall"], part["precision"], mode="area") for part in present]
    each = {
        name: 100 * float(part["ap"]) if part["num_gts"] else None for name, part in zip(classes, parts, strict=True)
    }
    return {"mAP": 100 * mean, "mAP_area": 100 * float(np.mean(area)) if area else 0.0, "per_class": each}


@METRICS.register_module()
class VOC07Metric(VOCMetric):
    """mmdet's VOCMetric with unrounded numbers in percent, and its detections written to the file `predictions`."""

    default_prefix = None

    def __init__(self, predictions: str) -> None:
        super().__init__()
        self.predictions = Path(predictions)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """One batch: the truth as VOCMetric collects it, and the detections."""
        before = len(self.results)
        super().process(data_batch, data_samples)
        for i, sample in enumerate(data_samples, before):
            arrays = {key: value.cpu().numpy() for key, value in sample["pred_instances"].items()}
            image = numbers([sample["img_id"]])[0]
            found = detections(image, arrays["bboxes"], arrays["scores"], arrays["labels"])
            self.results[i] = (image, self.results[i][0], found)

    def compute_metrics(self, results: list[tuple[int, dict, list[Detection]]]) -> dict[str, Any]:
        """The whole set."""
        images, truth, found = (list(column) for column in zip(*results, strict=True))
        flat = [detection for image in found for detection in image]
        with atomic(self.predictions) as temporary:
            temporary.write_text(json.dumps(flat), encoding="utf-8")
        return score(flat, images, truth, self.dataset_meta["classes"])
