"""Score detections on disk again."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from detection import coco_metric
from detection.coco_results import Found, arrays, stream
from detection.metric import decisive, match, score
from detection.voc_reader import ListedVOCDataset
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.training.per_image import write


def ground_truth(check: DatasetInfo) -> tuple[list[int], list[dict]]:
    """Ids of VOC07's test images and mmdet's annotation of each, difficult objects among the ignored."""
    test = ListedVOCDataset(
        data_root=check.root, metainfo={"classes": tuple(check.classes)}, split="test07", test_mode=True
    )
    truth = []
    for item in test:
        boxes = np.array([one["bbox"] for one in item["instances"]], dtype=np.float32).reshape(-1, 4)
        labels = np.array([one["bbox_label"] for one in item["instances"]], dtype=np.int64)
        ignored = np.array([one["ignore_flag"] for one in item["instances"]], dtype=bool)
        scored, left = ({"bboxes": boxes[kind], "labels": labels[kind]} for kind in (~ignored, ignored))
        truth.append({**scored, **{f"{key}_ignore": value for key, value in left.items()}})
    return [item["img_id"] for item in test], truth


def evaluate(predictions: Path, check: DatasetInfo, evidence: Path | None = None) -> dict[str, Any]:
    """The set's metrics and per-class AP in percent; UserError if a detection is of no test image or no class.

    `evidence` is the file to write what a resample needs to, if it is wanted.
    """
    images, matches, numbers = (of_coco if check.set == "coco" else of_voc)(predictions, check)
    if evidence:
        write(evidence, images, **decisive(matches))
    return numbers


def of_voc(predictions: Path, check: DatasetInfo) -> tuple[list[int], dict[str, Any], dict[str, Any]]:
    """(test images, evidence, numbers) of detections on VOC07 test."""
    images, truth = ground_truth(check)
    classes = check.classes
    found = read(predictions, set(images), set(range(1, len(classes) + 1)))
    matches = match(found, images, truth, len(classes))
    return images, matches, score(matches, classes)


def of_coco(predictions: Path, check: DatasetInfo) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    """(test images, evidence, numbers) of detections on val2014."""
    truth = coco_metric.ground_truth(check.root)
    evaluation = coco_metric.evaluated(read(predictions, set(truth.imgs), set(truth.cats)), truth)
    return evaluation.images, evaluation.matches, coco_metric.score(evaluation, check.classes)


def read(predictions: Path, images: set[int], categories: set[int]) -> "Found":
    """COCO detection results; UserError, naming the file and the entry, if they are none or of another test set."""

    def checked() -> Iterator[dict[str, Any]]:
        for i, one in enumerate(stream(predictions)):
            if one["image_id"] not in images:
                raise UserError(f"{predictions}: detection {i}: image_id {one['image_id']} is no test image")
            if one["category_id"] not in categories:
                raise UserError(f"{predictions}: detection {i}: category_id {one['category_id']} is no class")
            if len(one["bbox"]) != 4 or not all(map(math.isfinite, [*one["bbox"], one["score"]])):
                raise UserError(f"{predictions}: detection {i}: bbox must be four numbers, score one")
            yield one

    try:
        return arrays(checked())
    except (OSError, ValueError, OverflowError, RecursionError, KeyError, TypeError) as error:
        raise UserError(f"{predictions}: not COCO detection results: {type(error).__name__}: {error}") from None
