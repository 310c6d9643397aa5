"""COCO's average precision by pycocotools' COCOeval: AP over IoU 0.5 to 0.95, AP50 and AP75, all sizes, 100 detections.

The numbers are those that COCOeval's own `summarize` prints (tests); of its four ranges of size only the whole one is
computed, which takes a quarter of the time.
"""

import contextlib
import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from mmdet.datasets import CocoDataset
from mmdet.registry import DATASETS, METRICS
from mmengine.evaluator import BaseMetric
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detection.metric import Detection, Matches, detections, keep
from workflow.data.coco import NAMES, annotation_file
from workflow.training.files import read_json


def quiet() -> contextlib.AbstractContextManager:
    """pycocotools says on the terminal what it does: not in here."""
    return contextlib.redirect_stdout(None)


def ground_truth(root: str | Path) -> COCO:
    """The objects of the test images, numbered anew: COCOeval takes a match with object 0 for none."""
    truth = COCO()
    truth.dataset = read_json(annotation_file(root, NAMES["test"], "instances"))
    for number, one in enumerate(truth.dataset["annotations"], start=1):
        one["id"] = number
    with quiet():
        truth.createIndex()
    return truth


def evaluated(found: list[Detection], truth: COCO) -> COCOeval:
    """COCOeval of all detections, with its default settings but for the ranges of size; nothing given is changed."""
    with quiet():
        if found:
            results = truth.loadRes([dict(one) for one in found])
        else:  # loadRes looks at the first one
            results = COCO()
            results.dataset = truth.dataset | {"annotations": []}
            results.createIndex()
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets = [100]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def score(evaluation: COCOeval, classes: Sequence[str]) -> dict[str, Any]:
    """`AP`, `AP50` and `AP75` in percent, and the AP of each class, in the order of ids (None: not in the test set)."""
    precision = evaluation.eval["precision"][..., 0, 0]  # (thresholds, recalls, classes); -1: the class has no object

    def mean(part: np.ndarray) -> float | None:
        counted = part[part > -1]
        return 100 * float(np.mean(counted)) if counted.size else None

    whole = {"AP": precision, "AP50": precision[0], "AP75": precision[5]}
    each = {name: mean(precision[:, :, label]) for label, name in enumerate(classes)}
    return {name: mean(part) or 0.0 for name, part in whole.items()} | {"per_class": each}


def match(evaluation: COCOeval) -> Matches:
    """Which detections hit what at each of the ten thresholds, in the order in which COCOeval ranked them."""
    count, classes = len(evaluation.params.imgIds), len(evaluation.params.catIds)
    truths = np.zeros((count, classes), dtype=np.int32)
    parts = []
    for label in range(classes):
        each = evaluation.evalImgs[label * count : (label + 1) * count]
        seen = [(image, one) for image, one in enumerate(each) if one]
        for image, one in seen:
            truths[image, label] = np.count_nonzero(one["gtIgnore"] == 0)
        scores = np.concatenate([[], *(one["dtScores"] for _, one in seen)])
        rank = np.argsort(-scores, kind="mergesort")  # as COCOeval's accumulate
        image = np.repeat([image for image, _ in seen], [len(one["dtScores"]) for _, one in seen])
        matched, left = (
            np.concatenate([np.zeros((10, 0), bool), *(one[key] != 0 for _, one in seen)], axis=1)[:, rank].T
            for key in ("dtMatches", "dtIgnore")
        )
        parts.append((image[rank], np.full(len(rank), label), scores[rank], matched & ~left, left))
    kinds = {"image": np.int32, "label": np.int32, "score": np.float32, "hit": bool, "left": bool}
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return {key: column.astype(kinds[key]) for key, column in zip(kinds, columns, strict=True)} | {"truths": truths}


@DATASETS.register_module()
class QuietCocoDataset(CocoDataset):
    """mmdet's CocoDataset without pycocotools' words on the terminal."""

    def load_data_list(self) -> list[dict]:
        """The images and their objects."""
        with quiet():
            return super().load_data_list()


@METRICS.register_module()
class COCOMetric(BaseMetric):
    """The scores of the whole test set of the COCO folder `root`; detections and evidence are left in `keep`."""

    def __init__(self, root: str, keep: str) -> None:
        super().__init__()
        self.root, self.keep = root, Path(keep)

    @functools.cached_property
    def truth(self) -> COCO:
        """Read once."""
        return ground_truth(self.root)

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """One batch. Label n is the n-th category of the file, as CocoDataset has it."""
        categories = [category["id"] for category in self.truth.dataset["categories"]]
        for sample in data_samples:
            arrays = {key: value.cpu().numpy() for key, value in sample["pred_instances"].items()}
            what = arrays["bboxes"], arrays["scores"], arrays["labels"]
            self.results.append(detections(sample["img_id"], *what, categories))

    def compute_metrics(self, results: list[list[Detection]]) -> dict[str, Any]:
        """The whole set."""
        found = [detection for image in results for detection in image]
        evaluation = evaluated(found, self.truth)
        keep(self.keep, found, evaluation.params.imgIds, match(evaluation))
        return score(evaluation, self.classes)

    @property
    def classes(self) -> list[str]:
        """The names of the categories, by id."""
        return [category["name"] for category in sorted(self.truth.dataset["categories"], key=lambda one: one["id"])]
