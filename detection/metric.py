"""VOC's mean average precision at IoU 0.5, from detections in COCO's results format: mmdet's matching and two rules.

What is scored is what is written to disk, rounding included: `detection.evaluate` finds the same numbers again. Not by
mmdet's `eval_map` itself: it ranks equal scores as numpy's unstable sort leaves them, which differs between machines.
Checked against `eval_map` (equal to the last bit where no scores are), and against VOCevaldet.m's rule (tests).
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation.functional import average_precision
from mmdet.evaluation.functional.mean_ap import tpfp_default
from mmdet.evaluation.metrics import VOCMetric
from mmdet.registry import METRICS

from detection.names import numbers
from workflow.training import evidence
from workflow.training.files import atomic

Detection = dict[str, Any]
Matches = dict[str, np.ndarray]  # the arrays of evidence.npz but for `images` (design: Contracts)


def detections(
    image: int, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, categories: Sequence[int] | None = None
) -> list[Detection]:
    """COCO results of one image: boxes (n, 4) as x1 y1 x2 y2 in pixels of the original.

    `categories` has each label's category; without it, label 0 is category 1.
    """
    corners = boxes.astype(np.float64)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1).round(2)
    ids = [categories[label] if categories else int(label) + 1 for label in labels]
    return [
        {"image_id": image, "category_id": category, "bbox": box.tolist(), "score": round(float(score), 6)}
        for box, score, category in zip(sides, scores, ids, strict=True)
    ]


def match(found: list[Detection], images: list[int], truth: list[dict], classes: int) -> Matches:
    """Which detections hit what: D rows, class by class, in each by falling score (ties: by image, then as found).

    `truth` holds, for each of `images`, mmdet's annotation: bboxes, labels, bboxes_ignore, labels_ignore; the ignored
    ones are VOC's difficult objects. Boxes are as VOC counts them: the last pixel belongs to the box.
    """
    place = {image: i for i, image in enumerate(images)}
    image = np.array([place[one["image_id"]] for one in found], dtype=np.int32)
    label = np.array([one["category_id"] - 1 for one in found], dtype=np.int32)
    score = np.array([one["score"] for one in found], dtype=np.float32)
    sides = np.array([one["bbox"] for one in found], dtype=np.float64).reshape(-1, 4)
    boxes = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:]], axis=1).astype(np.float32)
    rank = np.lexsort((image, -score, label))  # a stable sort
    image, label, score, boxes = image[rank], label[rank], score[rank], boxes[rank]
    hit, left = np.zeros((2, len(rank), 1), dtype=bool)
    for rows in groups(image, label):
        one, which = truth[image[rows[0]]], label[rows[0]]
        objects = [one[f"bboxes{kind}"][one[f"labels{kind}"] == which] for kind in ("", "_ignore")]
        falling = -np.arange(len(rows), dtype=np.float32)[:, None]  # their rank for a score: nothing is equal
        right, wrong = tpfp_default(np.hstack([boxes[rows], falling]), *objects, 0.5, use_legacy_coordinate=True)
        hit[rows, 0], left[rows, 0] = right[0] > 0, (right[0] == 0) & (wrong[0] == 0)
    truths = np.array([np.bincount(one["labels"], minlength=classes) for one in truth], dtype=np.int32)
    return {"image": image, "label": label, "score": score, "hit": hit, "left": left, "truths": truths}


def groups(image: np.ndarray, label: np.ndarray) -> Iterator[np.ndarray]:
    """The rows of each image and class that have any, in their order."""
    together = np.lexsort((image, label))
    bounds = np.flatnonzero(np.diff(image[together]) | np.diff(label[together])) + 1
    return iter(np.split(together, bounds)) if len(together) else iter(())


def score(matches: Matches, classes: Sequence[str]) -> dict[str, Any]:
    """`mAP` (11 points) and `mAP_area` in percent, and the 11-point AP of each class (None: not in the test set)."""
    points, area, each = [], [], {}
    for label, name in enumerate(classes):
        rows, objects = matches["label"] == label, matches["truths"][:, label].sum()
        each[name] = None
        if objects:
            hit, left = matches["hit"][rows, 0], matches["left"][rows, 0]
            right, wrong = (np.cumsum(flags, dtype=np.float32) for flags in (hit, ~hit & ~left))
            curve = right / objects, right / np.maximum(right + wrong, np.finfo(np.float32).eps)
            points.append(average_precision(*curve, mode="11points"))
            area.append(average_precision(*curve, mode="area"))
            each[name] = 100 * float(points[-1])
    means = {"mAP": points, "mAP_area": area}
    return {key: 100 * float(np.mean(value)) if value else 0.0 for key, value in means.items()} | {"per_class": each}


def decisive(matches: Matches) -> Matches:
    """Without the detections below the last hit of their class: they change no average precision in any resample."""
    kept = np.zeros(len(matches["label"]), dtype=bool)
    for label in np.unique(matches["label"]):
        rows = np.flatnonzero(matches["label"] == label)
        hits = np.flatnonzero(matches["hit"][rows].any(axis=1))
        kept[rows[: hits[-1] + 1 if len(hits) else 0]] = True
    return {key: value if key == "truths" else value[kept] for key, value in matches.items()}


def keep(folder: Path, found: list[Detection], images: Sequence[int], matches: Matches) -> None:
    """Leave predictions.json and evidence.npz in `folder`."""
    with atomic(folder / "predictions.json") as temporary:
        temporary.write_text(json.dumps(found), encoding="utf-8")
    evidence.write(folder / "evidence.npz", images, **decisive(matches))


@METRICS.register_module()
class VOC07Metric(VOCMetric):
    """mmdet's VOCMetric with unrounded numbers in percent; detections and evidence are left in the folder `keep`."""

    default_prefix = None

    def __init__(self, keep: str) -> None:
        super().__init__()
        self.keep = Path(keep)

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
        flat, classes = [detection for image in found for detection in image], self.dataset_meta["classes"]
        matches = match(flat, images, truth, len(classes))
        keep(self.keep, flat, images, matches)
        return score(matches, classes)
