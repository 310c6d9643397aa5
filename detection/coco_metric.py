"""COCO's average precision by pycocotools' COCOeval: AP over IoU 0.5 to 0.95, AP50 and AP75, all sizes, 100 detections.

The numbers are those that COCOeval's own `summarize` prints (tests); of its four ranges of size only the whole one is
computed, which takes a quarter of the time.
"""

import contextlib
import functools
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmdet.datasets import CocoDataset, api_wrappers
from mmdet.registry import DATASETS, METRICS
from mmengine.evaluator import BaseMetric
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from detection.coco_results import Found, detections, entries, joined
from detection.metric import Matches, keep
from workflow.data.coco import NAMES
from workflow.data.coco_files import annotation_file, load


def quiet() -> contextlib.AbstractContextManager:
    """pycocotools says on the terminal what it does: not in here."""
    return contextlib.redirect_stdout(None)


def ground_truth(root: str | Path) -> COCO:
    """The objects of the test images, numbered anew: COCOeval takes a match with object 0 for none."""
    truth = COCO()
    truth.dataset = load(annotation_file(root, NAMES["test"], "instances"), Path(root) / NAMES["test"], "instances")
    for number, one in enumerate(truth.dataset["annotations"], start=1):
        one["id"] = number
    with quiet():
        truth.createIndex()
    return truth


class Evaluated(NamedTuple):
    """`images`: ids (N,), rising; `precision` (10 thresholds, 101 recalls, C), -1 where a class has no object;
    `matches`: which detections hit what at each threshold, in the order in which COCOeval ranked them."""

    images: np.ndarray
    precision: np.ndarray
    matches: Matches


def evaluated(found: Found, truth: COCO) -> Evaluated:
    """COCOeval class by class: it wants a dict for each detection, and so only one class's are there at a time."""
    images, objects, precision, columns, truths = np.unique(truth.getImgIds()), defaultdict(list), [], [], []
    for one in truth.dataset["annotations"]:
        objects[one["category_id"]].append(one)
    for label, category in enumerate(sorted(truth.getCatIds())):
        rows = np.flatnonzero(found["category_id"] == category)
        boxes = entries({key: column[rows] for key, column in found.items()})
        evaluation = of_class(truth.dataset, objects[category], boxes, category)
        precision.append(evaluation.eval["precision"][:, :, 0, 0, 0])
        ranked, counts = match(evaluation.evalImgs)
        columns.append((ranked[0], np.full(len(ranked[0]), label, dtype=np.int32), *ranked[1:]))
        truths.append(counts)
    whole = [np.concatenate(column) for column in zip(*columns, strict=True)]
    matches = dict(zip(("image", "label", "score", "hit", "left"), whole, strict=True))
    return Evaluated(images, np.stack(precision, axis=-1), matches | {"truths": np.stack(truths, axis=1)})


def of_class(dataset: dict, objects: list[dict], found: list[dict], category: int) -> COCOeval:
    """COCOeval of one category, with its default settings but for the ranges of size."""
    truth, results = COCO(), COCO()
    for number, one in enumerate(found, start=1):
        one |= {"id": number, "area": one["bbox"][2] * one["bbox"][3], "iscrowd": 0}
    with quiet():
        for side, annotations in ((truth, objects), (results, found)):
            side.dataset = dataset | {"annotations": annotations}
            side.createIndex()
        evaluation = COCOeval(truth, results, "bbox")
        evaluation.params.areaRng, evaluation.params.areaRngLbl = [[0, 1e10]], ["all"]
        evaluation.params.maxDets, evaluation.params.catIds = [100], [category]
        evaluation.evaluate()
        evaluation.accumulate()
    return evaluation


def score(evaluation: Evaluated, classes: Sequence[str]) -> dict[str, Any]:
    """`AP`, `AP50` and `AP75` in percent, and the AP of each class, in the order of ids (None: not in the test set)."""

    def mean(part: np.ndarray) -> float | None:
        counted = part[part > -1]
        return 100 * float(np.mean(counted)) if counted.size else None

    precision = evaluation.precision
    whole = {"AP": precision, "AP50": precision[0], "AP75": precision[5]}
    each = {name: mean(precision[:, :, label]) for label, name in enumerate(classes)}
    return {name: mean(part) or 0.0 for name, part in whole.items()} | {"per_class": each}


def match(images: list[dict | None]) -> tuple[list[np.ndarray], np.ndarray]:
    """From COCOeval's `evalImgs` of one class, an entry an image: image (its place), score, hit and left of the
    detections as ranked, and each image's number of objects."""
    seen = [(place, one) for place, one in enumerate(images) if one]
    truths = np.zeros(len(images), dtype=np.int32)
    for place, one in seen:
        truths[place] = np.count_nonzero(one["gtIgnore"] == 0)
    scores = np.concatenate([[], *(one["dtScores"] for _, one in seen)])
    rank = np.argsort(-scores, kind="mergesort")  # as COCOeval's accumulate
    image = np.repeat([place for place, _ in seen], [len(one["dtScores"]) for _, one in seen]).astype(np.int32)
    matched, left = (
        np.concatenate([np.zeros((10, 0), bool), *(one[key] != 0 for _, one in seen)], axis=1)[:, rank].T
        for key in ("dtMatches", "dtIgnore")
    )
    return [image[rank], scores[rank].astype(np.float32), matched & ~left, left], truths


@DATASETS.register_module()
class QuietCocoDataset(CocoDataset):
    """mmdet's CocoDataset, with the file as the check reads it, and without pycocotools' words on the terminal."""

    def COCOAPI(self, path: str) -> api_wrappers.COCO:  # noqa: N802  (mmdet's name: what it opens a file by)
        """The file's images and objects."""
        found = api_wrappers.COCO()
        found.dataset = load(Path(path), Path(self.data_prefix["img"]), "instances")
        found.createIndex()
        found.img_ann_map, found.cat_img_map = found.imgToAnns, found.catToImgs  # mmdet's names, by which it filters
        return found

    def load_data_list(self) -> list[dict]:
        """The images and their objects."""
        with quiet():
            return super().load_data_list()


@METRICS.register_module()
class COCOMetric(BaseMetric):
    """The scores of the whole test set of the COCO folder `root`; detections and evidence are left in `keep`."""

    def __init__(self, root: str, keep: str) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.root, self.keep = root, Path(keep)

    @functools.cached_property
    def truth(self) -> COCO:
        """Read once."""
        return ground_truth(self.root)

    def process(self, data_batch: dict[str, Any], data_samples: Sequence[dict]) -> None:
        """One batch. Label n is the n-th category by id, as CocoDataset has it."""
        categories = [category["id"] for category in self.truth.dataset["categories"]]
        for sample in data_samples:
            arrays = {key: value.cpu().numpy() for key, value in sample["pred_instances"].items()}
            what = arrays["bboxes"], arrays["scores"], arrays["labels"]
            self.results.append(detections(sample["img_id"], *what, categories))

    def compute_metrics(self, results: list[Found]) -> dict[str, Any]:
        """The whole set."""
        found = joined(results)
        evaluation = evaluated(found, self.truth)
        keep(self.keep, found, evaluation.images, evaluation.matches)
        return score(evaluation, self.classes)

    @property
    def classes(self) -> list[str]:
        """The names of the categories, by id."""
        return [category["name"] for category in self.truth.dataset["categories"]]
