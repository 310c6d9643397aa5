"""COCO's average precision as pycocotools' COCOeval has it: AP over IoU 0.5 to 0.95, AP50 and AP75, all sizes, 100
detections.

The numbers are those that COCOeval's own `summarize` prints, to the last bit (tests).
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

from detection import coco_matching
from detection.coco_results import Found, detections, joined
from detection.metric import Matches, keep
from workflow.data.coco import NAMES
from workflow.data.coco_files import annotation_file, load
from workflow.data.held_out import part_of


def quiet() -> contextlib.AbstractContextManager:
    """pycocotools says on the terminal what it does: not in here."""
    return contextlib.redirect_stdout(None)


def ground_truth(root: str | Path, held_out: bool = False) -> COCO:
    """The objects of the test images, or of the training images that are held out."""
    truth, name = COCO(), NAMES["train" if held_out else "test"]
    truth.dataset = load(annotation_file(root, name, "instances"), Path(root) / name, "instances")
    if held_out:
        part = part_of((image["id"] for image in truth.dataset["images"]), held_out)
        truth.dataset |= {"images": [image for image in truth.dataset["images"] if image["id"] in part]}
    with quiet():
        truth.createIndex()
    return truth


class Evaluated(NamedTuple):
    """`images`: ids (N,), rising; `precision` (10 thresholds, 101 recalls, C), -1 where a class has no object;
    `matches`: which detections hit what at each threshold, in the order in which COCOeval ranks them."""

    images: np.ndarray
    precision: np.ndarray
    matches: Matches


def evaluated(found: Found, truth: COCO) -> Evaluated:
    """COCOeval's numbers, class by class (detection/coco_matching.py)."""
    images, precision, columns, truths = np.unique(truth.getImgIds()), [], [], []
    present = objects(truth, images)
    for label, category in enumerate(sorted(truth.getCatIds())):
        rows = ranking(found, category, images)
        image = np.searchsorted(images, found["image_id"][rows]).astype(np.int32)
        hit, left = coco_matching.match(image, found["bbox"][rows], present[category])
        counts = np.bincount(present[category].image[~present[category].ignored], minlength=len(images))
        precision.append(coco_matching.precision(hit, left, int(counts.sum())))
        labels = np.full(len(rows), label, dtype=np.int32)
        columns.append((image, labels, found["score"][rows].astype(np.float32), hit, left))
        truths.append(counts.astype(np.int32))
    whole = [np.concatenate(column) for column in zip(*columns, strict=True)]
    matches = dict(zip(("image", "label", "score", "hit", "left"), whole, strict=True))
    return Evaluated(images, np.stack(precision, axis=-1), matches | {"truths": np.stack(truths, axis=1)})


def ranking(found: Found, category: int, images: np.ndarray) -> np.ndarray:
    """Which detections of a category count, the best first (ties: by image, then as found): of test images, and of
    each its best 100."""
    rows = np.flatnonzero(found["category_id"] == category)
    rows = rows[np.isin(found["image_id"][rows], images)]
    rows = rows[np.lexsort((found["image_id"][rows], -found["score"][rows]))]  # a stable sort
    return rows[coco_matching.positions(found["image_id"][rows]) < coco_matching.MAX_DETECTIONS]


def objects(truth: COCO, images: np.ndarray) -> dict[int, coco_matching.Objects]:
    """Of each category, with the places of their images in `images`; in an image, as the file lists them."""
    known, kinds = set(images.tolist()), defaultdict(list)
    for one in truth.dataset["annotations"]:
        if one["image_id"] in known:
            kinds[one["category_id"]].append(one)
    parts = {}
    for category in truth.getCatIds():
        listed = kinds[category]
        place = np.searchsorted(images, np.array([one["image_id"] for one in listed], dtype=images.dtype))
        order = np.argsort(place, kind="stable")
        box = np.array([one["bbox"] for one in listed], dtype=np.float64).reshape(-1, 4)
        crowd = np.array([bool(one["iscrowd"]) for one in listed], dtype=bool)
        area = np.array([one["area"] for one in listed], dtype=np.float64)
        ignored = crowd | (area < 0) | (area > coco_matching.LARGEST_AREA)
        parts[category] = coco_matching.Objects(place[order], box[order], crowd[order], ignored[order])
    return parts


def score(evaluation: Evaluated, classes: Sequence[str]) -> dict[str, Any]:
    """`AP`, `AP50` and `AP75` in percent, and the AP of each class, in the order of ids (None: not in the test set)."""

    def mean(part: np.ndarray) -> float | None:
        counted = part[part > -1]
        return 100 * float(np.mean(counted)) if counted.size else None

    precision = evaluation.precision
    whole = {"AP": precision, "AP50": precision[0], "AP75": precision[5]}
    each = {name: mean(precision[:, :, label]) for label, name in enumerate(classes)}
    return {name: mean(part) or 0.0 for name, part in whole.items()} | {"per_class": each}


@DATASETS.register_module()
class QuietCocoDataset(CocoDataset):
    """mmdet's CocoDataset, with the file as the check reads it, and without pycocotools' words on the terminal; all
    images, or a part of them (`part_of`)."""

    def __init__(self, held_out: bool | None = None, **kwargs: Any) -> None:
        self.held_out = held_out
        super().__init__(**kwargs)

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
            listed = super().load_data_list()
        part = part_of((image["img_id"] for image in listed), self.held_out)
        return [image for image in listed if image["img_id"] in part]


@METRICS.register_module()
class COCOMetric(BaseMetric):
    """The scores of the whole test set of the COCO folder `root`, or of the held-out training images; detections and
    evidence are left in `keep`."""

    def __init__(self, root: str, keep: str, held_out: bool = False) -> None:
        super().__init__(collect_dir=f"{keep}/parts")
        self.root, self.keep, self.held_out = root, Path(keep), held_out

    @functools.cached_property
    def truth(self) -> COCO:
        """Read once."""
        return ground_truth(self.root, self.held_out)

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
