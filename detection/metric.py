"""VOC's mean average precision at IoU 0.5, from detections in COCO's results format: one matching and two rules.

What is scored is what is written to disk, rounding included: `detection/evaluate.py` finds the same numbers again, and
so does any evaluator that reads COCO's boxes as the format says (tests). Not by mmdet's `eval_map` itself: it ranks
equal scores as numpy's unstable sort leaves them, which differs between machines.
Checked against `eval_map` (equal to the last bit where no scores are), and against VOCevaldet.m's rule (tests).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.evaluation.functional import average_precision
from mmdet.evaluation.metrics import VOCMetric
from mmdet.registry import METRICS

from detection.coco_results import Found, detections, joined, write
from detection.matching import Objects, judge, objects
from workflow.training import per_image

BLOCK = 64  # images
Matches = dict[str, np.ndarray]  # the arrays of per_image.npz but for `images` (design: Contracts)


def match(found: Found, images: Sequence[int], truth: list[dict], classes: int) -> Matches:
    """Which detections hit what: D rows, class by class, in each by falling score (ties: by image, then as found).

    `truth` holds, for each of `images`, mmdet's annotation: bboxes, labels, bboxes_ignore, labels_ignore; the ignored
    ones are VOC's difficult objects. Its boxes name their last pixel, as the devkit's do; those of `found` end behind
    it, as COCO's do.
    """
    order = np.argsort(images)
    image = order[np.searchsorted(images, found["image_id"], sorter=order)].astype(np.int32)
    every = image, found["score"].astype(np.float32), *judged(found, image, objects(truth, classes), classes)
    parts = []
    for which in range(classes):
        own = np.flatnonzero(found["category_id"] == which + 1)
        columns = [column[own] for column in every]
        rank = np.lexsort((columns[0], -columns[1]))  # a stable sort
        image, score, hit, left = (column[rank] for column in columns)
        label = np.full(len(own), which, dtype=found["category_id"].dtype)
        parts.append((image, label, score, hit[:, None], left[:, None]))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    truths = np.array([np.bincount(one["labels"], minlength=classes) for one in truth], dtype=np.int32)
    return dict(zip(("image", "label", "score", "hit", "left"), columns, strict=True)) | {"truths": truths}


def judged(found: Found, image: np.ndarray, present: Objects, classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Which detections are right and which are left out, (D,) each; `image` (D,) is where each is."""
    hit, left = np.zeros((2, len(image)), dtype=bool)
    by_image = np.argsort(image, kind="stable")
    ends = np.searchsorted(image, np.arange(BLOCK, image.max(initial=0) + 1, BLOCK), sorter=by_image)
    for own in np.split(by_image, ends):  # few images at a time stay in the cache
        own = own[np.argsort(-found["score"][own].astype(np.float32), kind="stable")]
        sides = found["bbox"][own]
        boxes = np.concatenate([sides[:, :2], sides[:, :2] + sides[:, 2:] - 1], axis=1).astype(np.float32)
        hit[own], left[own] = judge(image[own] * classes + found["category_id"][own] - 1, boxes, present)
    return hit, left


def whole_pixels(boxes: np.ndarray) -> np.ndarray:
    """VOC's boxes (n, 4), whose x2 y2 is their last pixel, as COCO's, whose x2 y2 is where that pixel ends."""
    return boxes.astype(np.float64) + np.array([0, 0, 1, 1])


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
            curve = [each[hit] for each in curve]  # both rules look at the best precision from a recall on: at a hit
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


def keep(folder: Path, found: Found, images: Sequence[int], matches: Matches) -> None:
    """Leave predictions.json and per_image.npz in `folder`."""
    write(folder / "predictions.json", found)
    per_image.write(folder / "per_image.npz", images, **decisive(matches))


@METRICS.register_module()
class VOC07Metric(VOCMetric):
    """mmdet's VOCMetric with unrounded numbers in percent; detections and evidence are left in the folder `keep`."""

    default_prefix = None

    def __init__(self, keep: str) -> None:
        super().__init__()
        self.keep, self.collect_dir = Path(keep), f"{keep}/parts"

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict]) -> None:
        """One batch: the truth as VOCMetric collects it, and the detections."""
        for sample in data_samples:
            kinds = {"": sample["gt_instances"], "_ignore": sample["ignored_instances"]}
            truth = {
                f"{key}{kind}": one[key].cpu().numpy() for kind, one in kinds.items() for key in ("bboxes", "labels")
            }
            boxes, *rest = (sample["pred_instances"][key].cpu().numpy() for key in ("bboxes", "scores", "labels"))
            image = sample["img_id"]
            self.results.append((image, truth, detections(image, whole_pixels(boxes), *rest)))

    def compute_metrics(self, results: list[tuple[int, dict, Found]]) -> dict[str, Any]:
        """The whole set."""
        images, truth, found = (list(column) for column in zip(*results, strict=True))
        flat, classes = joined(found), self.dataset_meta["classes"]
        matches = match(flat, images, truth, len(classes))
        keep(self.keep, flat, images, matches)
        return score(matches, classes)
