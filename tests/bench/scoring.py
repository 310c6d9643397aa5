"""VOC scoring at VOC07's size against mmdet's own `eval_map`: 4,952 images with 200 detections each, 20 classes. COCO
scoring against pycocotools' COCOeval: 2,000 images with 100 detections each, 80 classes.
"""

import multiprocessing
from typing import TYPE_CHECKING

import numpy as np

from tests.bench.row import Measured, Row, in_turn

if TYPE_CHECKING:
    from pycocotools.coco import COCO

    from detection.coco_results import Found

IMAGES, CLASSES, DETECTIONS = 4952, 20, 200
COCO_IMAGES = 2000


def truth(draw: np.random.Generator) -> dict[str, np.ndarray]:
    """mmdet's annotation of an image: one to five objects, one in six of them difficult, as in VOC07."""
    count = draw.integers(1, 6)
    corners, sides = draw.uniform(0, 250, (count, 2)), draw.uniform(30, 250, (count, 2))
    boxes, labels = np.concatenate([corners, corners + sides], axis=1), draw.integers(0, CLASSES, count)
    hard = draw.random(count) < 1 / 6
    kinds = {"": ~hard, "_ignore": hard}
    parts = {f"bboxes{kind}": boxes[which].round().astype(np.float32) for kind, which in kinds.items()}
    return parts | {f"labels{kind}": labels[which] for kind, which in kinds.items()}


def detections(draw: np.random.Generator, annotation: dict) -> tuple[np.ndarray, np.ndarray]:
    """Boxes and labels of an image's detections: each object nine times, well and badly; the others anywhere."""
    objects = [annotation[key] for key in ("bboxes", "bboxes_ignore")]
    near = np.repeat(np.concatenate(objects), 9, axis=0)
    near = near + draw.normal(0, 15, near.shape)
    labels = np.repeat(np.concatenate([annotation[key] for key in ("labels", "labels_ignore")]), 9)
    count = DETECTIONS - len(near)
    corners, sides = draw.uniform(0, 250, (count, 2)), draw.uniform(20, 250, (count, 2))
    boxes = np.concatenate([near, np.concatenate([corners, corners + sides], axis=1)])
    return boxes.round(2).astype(np.float32), np.concatenate([labels, draw.integers(0, CLASSES, count)])


def world(images: int) -> tuple[list[dict], list[dict], list[list[np.ndarray]]]:
    """Truth, and the detections as either side keeps them until it scores: ours, and mmdet's tables of each class.

    No two scores are equal: the order of equal ones is not defined in mmdet.
    """
    from detection.coco_results import detections as results
    from detection.metric import whole_pixels

    draw = np.random.default_rng(0)
    annotations = [truth(draw) for _ in range(images)]
    scores = draw.permutation(images * DETECTIONS).reshape(images, -1) / (images * DETECTIONS)
    ours, theirs = [], []
    for image, (annotation, score) in enumerate(zip(annotations, scores.astype(np.float32), strict=True)):
        boxes, labels = detections(draw, annotation)
        one = results(image, whole_pixels(boxes), score, labels)
        ours.append(one | {"score": score.astype(np.float64)})  # with six decimals some would be equal
        sides = one["bbox"]  # which end behind their last pixel; mmdet's name it
        table = np.hstack([sides[:, :2], sides[:, :2] + sides[:, 2:] - 1, score[:, None]]).astype(np.float32)
        theirs.append([table[labels == label] for label in range(CLASSES)])
    return annotations, ours, theirs


def measure(count: int = IMAGES) -> Measured:
    """Both from what `count` images left to mAP by 11 points; `eval_map` with its own four processes."""
    from detection.coco_results import joined
    from detection.metric import match, score  # before mmdet: it brings the stand-ins

    from mmdet.evaluation.functional import eval_map  # isort: skip

    multiprocessing.set_start_method("fork", force=True)  # as a program that calls eval_map has it on Linux
    annotations, ours, theirs = world(count)
    names, images = [str(label) for label in range(CLASSES)], list(range(count))
    how = {"iou_thr": 0.5, "eval_mode": "11points", "use_legacy_coordinate": True, "logger": "silent"}
    means: list[list[float]] = [[], []]

    def ours_score() -> None:
        means[0].append(score(match(joined(ours), images, annotations, CLASSES), names)["mAP"])

    def reference() -> None:
        means[1].append(100 * eval_map(theirs, annotations, dataset=names, **how)[0])

    measured = in_turn(ours_score, reference)
    assert means[0] == means[1], "not the same numbers"
    return measured


def coco_world(images: int) -> "tuple[Found, COCO]":
    """Detections and truth: of five classes an image, seven objects, one in thirty a crowd; half of the detections lie
    near an object."""
    from detection.coco_results import arrays
    from tests.detection.test_coco_matching import index

    draw, objects, found = np.random.default_rng(0), [], []
    for image in range(1, images + 1):
        kinds = draw.integers(1, 81, 5)
        boxes = np.concatenate([draw.uniform(0, 400, (7, 2)), draw.uniform(20, 200, (7, 2))], axis=1).round(2)
        labels, crowds = draw.choice(kinds, 7), draw.random(7) < 1 / 30
        for box, label, crowd in zip(boxes.tolist(), labels.tolist(), crowds.tolist(), strict=True):
            one = {"id": len(objects) + 1, "image_id": image, "category_id": label, "bbox": box}
            objects.append(one | {"area": box[2] * box[3], "iscrowd": int(crowd)})
        near = draw.integers(0, 7, 50)
        around = boxes[near] + draw.normal(0, 12, (50, 4))
        anywhere = np.concatenate([draw.uniform(0, 400, (50, 2)), draw.uniform(20, 200, (50, 2))], axis=1)
        places = np.concatenate([around, anywhere]).round(2)
        places[:, 2:] = np.maximum(places[:, 2:], 1)
        classes = np.concatenate([labels[near], draw.choice(kinds, 50)])
        for box, label, score in zip(
            places.tolist(), classes.tolist(), draw.random(100).round(6).tolist(), strict=True
        ):
            found.append({"image_id": image, "category_id": label, "bbox": box, "score": score})
    listed, categories = ([{"id": one} for one in range(1, last + 1)] for last in (images, 80))
    return arrays(found), index(images=listed, annotations=objects, categories=categories)


def measure_coco(count: int = COCO_IMAGES) -> Measured:
    """Both from detections of `count` images in memory to the precision at each threshold, recall and class, and the
    hits of each image; COCOeval with one range of areas, as ours."""
    from detection.coco_metric import evaluated
    from tests.detection.test_coco_matching import by_cocoeval

    found, truth = coco_world(count)
    ours, theirs = evaluated(found, truth), by_cocoeval(found, truth)
    assert (ours.precision == theirs.precision).all(), "not the same numbers"
    return in_turn(lambda: evaluated(found, truth), lambda: by_cocoeval(found, truth), repeats=3)


ROWS = [
    Row(
        name="voc_scoring",
        what="VOC scoring of 4,952 images with 200 detections each",
        reference="mmdet's `eval_map` (its 4 processes)",
        unit="s",
        target=3.0,
        measure=measure,
    ),
    Row(
        name="coco_scoring",
        what="COCO scoring of 2,000 images with 100 detections each",
        reference="pycocotools' `COCOeval`, one range of areas",
        unit="s",
        target=4.0,
        measure=measure_coco,
    ),
]
