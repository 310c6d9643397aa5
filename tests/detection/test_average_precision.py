"""Average precision of resamples equals that of repeated images, scored the slow way (plain.py)."""

import numpy as np
import pytest

from detection.average_precision import COCO_POINTS, VOC_POINTS, Detections, Traced, at_points
from tests.workflow.reporting import plain


def draws(images, resamples, seed=0):
    """Some multiplicities (N, B), the images as they are first, and one image alone last."""
    rng = np.random.default_rng(seed)
    drawn = rng.multinomial(images, np.full(images, 1 / images), size=resamples).T
    drawn[:, 0], drawn[:, -1] = 1, np.eye(images)[0] * images
    return np.ascontiguousarray(drawn, dtype=np.int32)


@pytest.mark.parametrize("seed", range(6))
def test_voc_s_two_rules_equal_brute_force(seed):
    arrays = plain.detections(seed)
    drawn = draws(12, 30, seed)
    found = Detections(arrays)(drawn)
    for rule, name in ((plain.eleven_points, "mAP"), (plain.area, "mAP_area")):
        expected = [plain.mean_ap(arrays, plain.repeated(column), rule) for column in drawn.T]
        assert found[name] == pytest.approx(expected, abs=1e-9)
        assert len(set(expected)) > 10


@pytest.mark.parametrize("seed", range(3))
def test_coco_s_rule_equals_brute_force(seed):
    arrays = plain.detections(seed, thresholds=10)
    drawn = draws(12, 8, seed)
    found = Detections(arrays)(drawn)
    chosen = [plain.repeated(column) for column in drawn.T]
    each = [[plain.mean_ap(arrays, images, plain.coco_points, t) for images in chosen] for t in range(10)]
    assert found["AP"] == pytest.approx(np.mean(each, axis=0), abs=1e-9)
    assert found["AP50"] == pytest.approx(each[0], abs=1e-9)
    assert found["AP75"] == pytest.approx(each[5], abs=1e-9)


def one_class(hit, left=None, objects=10):
    """Evidence of one image and class: hits in rank order."""
    count = len(hit)
    return {
        "image": np.zeros(count, dtype=np.int32),
        "label": np.zeros(count, dtype=np.int32),
        "score": np.linspace(1, 0.5, count, dtype=np.float32),
        "hit": np.array(hit, dtype=bool)[:, None],
        "left": np.array(left or [False] * count, dtype=bool)[:, None],
        "truths": np.array([[objects]], dtype=np.int32),
    }


ONCE = np.ones((1, 1), dtype=np.int32)


def test_a_recall_that_only_seems_to_reach_a_point_does_not():
    # 3 of 10 is 0.3, the scorers' point is 0.30000000000000004: recall counts at 0, 0.1 and 0.2 alone.
    assert Detections(one_class([True] * 3))(ONCE)["mAP"] == pytest.approx(100 * 3 / 11)


@pytest.mark.parametrize("points", [VOC_POINTS, COCO_POINTS])
def test_every_point_is_reached_where_the_scorers_say_so(points):
    for objects in range(1, 400):
        right = np.arange(1, objects + 1)[:, None]
        falling = np.linspace(1, 0, objects)[:, None]
        expected = np.mean([falling[right / objects >= point].max(initial=0) for point in points])
        traced = Traced(np.ones_like(right), right, falling)
        assert at_points(traced, np.array([objects]), points) == pytest.approx([expected], abs=1e-12)


def test_what_is_left_out_neither_helps_nor_harms():
    clean = Detections(one_class([True, True, False, True]))(ONCE)
    mixed = Detections(one_class([False, True, True, False, True], [True, False, False, False, False]))(ONCE)
    assert clean == mixed
    assert Detections(one_class([False, True, True, False, True]))(ONCE)["mAP_area"] < clean["mAP_area"]


def test_without_detections_or_objects_it_is_zero():
    for arrays in (one_class([]), one_class([False, False]), one_class([False], objects=0)):
        assert {key: value.tolist() for key, value in Detections(arrays)(ONCE).items()} == {
            "mAP": [0.0],
            "mAP_area": [0.0],
        }


def test_detections_below_the_last_hit_may_be_dropped():
    arrays = plain.detections(3)
    last = {label: np.flatnonzero(arrays["hit"][:, 0] & (arrays["label"] == label)) for label in range(4)}
    kept = [i for i, label in enumerate(arrays["label"]) if len(last[label]) and i <= last[label][-1]]
    short = {key: array if key == "truths" else array[kept] for key, array in arrays.items()}
    assert len(kept) < len(arrays["image"])
    drawn = draws(12, 20)
    for name, value in Detections(short)(drawn).items():
        assert value == pytest.approx(Detections(arrays)(drawn)[name], abs=1e-12)


def test_pycocotools_says_the_same_of_repeated_images(capsys):
    """Boxes in, pycocotools out: its own matching makes the evidence, its own accumulation the numbers."""
    boxes, found = _boxes(images=10, classes=3)
    arrays = _evidence(_scored(boxes, found, range(10)), 10)
    drawn = draws(10, 6)
    ours = Detections(arrays)(drawn)
    for b, column in enumerate(drawn.T):
        stats = _scored(boxes, found, plain.repeated(column)).stats
        assert [ours[key][b] for key in ("AP", "AP50", "AP75")] == pytest.approx(100 * stats[:3], abs=1e-9)


def test_the_scorer_of_the_records_says_the_same_of_repeated_images():
    """Boxes in, mmdet's matching and rules out, difficult objects and duplicates included."""
    from detection import coco_results
    from detection.metric import decisive, match, score

    boxes, found = _boxes(images=10, classes=3)
    truth = [_annotation([one for one in boxes if one[0] == image]) for image in range(10)]
    arrays = decisive(match(coco_results.arrays(_results(found, range(10))), list(range(10)), truth, 3))
    assert arrays["left"].any()
    drawn = draws(10, 12)
    ours = Detections(arrays)(drawn)
    for b, column in enumerate(drawn.T):
        chosen = plain.repeated(column)
        matches = match(
            coco_results.arrays(_results(found, chosen)), list(range(10)), [truth[image] for image in chosen], 3
        )
        expected = score(matches, ("a", "b", "c"))
        assert {key: ours[key][b] for key in ours} == pytest.approx({key: expected[key] for key in ours}, abs=1e-4)


def _results(found, chosen):
    """Detections of the images `chosen` as COCO results; images are named by their place."""
    return [
        {"image_id": place, "category_id": 1 + label, "bbox": box, "score": score}
        for place, chosen_image in enumerate(chosen)
        for image, label, box, score in found
        if image == chosen_image
    ]


def _annotation(boxes):
    """mmdet's, of one image; what is a crowd for COCO is difficult here. Boxes end at their last pixel."""
    kinds = {"": [one for one in boxes if not one[3]], "_ignore": [one for one in boxes if one[3]]}
    corners = {kind: [[x, y, x + w, y + h] for _, _, (x, y, w, h), _ in those] for kind, those in kinds.items()}
    annotation = {f"bboxes{kind}": np.array(box, dtype=np.float32).reshape(-1, 4) for kind, box in corners.items()}
    labels = {kind: [label for _, label, *_ in those] for kind, those in kinds.items()}
    return annotation | {f"labels{kind}": np.array(value, dtype=np.int64) for kind, value in labels.items()}


def _boxes(images, classes):
    """(image, class, box, crowd) and (image, class, box, score): truth, and detections near it."""
    rng = np.random.default_rng(5)
    truth, found = [], []
    for image in range(images):
        for _ in range(4):
            label, corner, crowd = int(rng.integers(classes)), rng.integers(0, 300, 2), rng.random() < 0.15
            truth.append((image, label, [*corner.tolist(), 40, 40], crowd))
            for _ in range(3):
                shift = (corner + rng.integers(-12, 13, 2)).tolist()
                found.append((image, label, [*shift, 40, 40], float(np.float32(rng.random()))))
    return truth, found


def _scored(boxes, found, chosen):
    """pycocotools on the images `chosen`, each of which is an image of its own however often it stands there."""
    from pycocotools.coco import COCO
    from pycocotools.cocoeval import COCOeval

    data = {"images": [{"id": i} for i in range(len(chosen))], "categories": [{"id": 1 + c} for c in range(3)]}
    data["annotations"] = [
        {"image_id": place, "category_id": 1 + label, "bbox": box, "area": 1600, "iscrowd": int(crowd)}
        for place, chosen_image in enumerate(chosen)
        for image, label, box, crowd in boxes
        if image == chosen_image
    ]
    for number, annotation in enumerate(data["annotations"], start=1):
        annotation["id"] = number
    coco = COCO()
    coco.dataset = data
    coco.createIndex()
    scorer = COCOeval(coco, coco.loadRes(_results(found, chosen)), "bbox")
    scorer.evaluate()
    scorer.accumulate()
    scorer.summarize()
    return scorer


def _evidence(scorer, images):
    """The evidence that follows from pycocotools' matches at all sizes."""
    rows, truths = [], np.zeros((images, 3), dtype=np.int32)
    for one in scorer.evalImgs:
        if one is None or one["aRng"] != [0, 1e10]:
            continue
        image, label = one["image_id"], one["category_id"] - 1
        truths[image, label] = np.count_nonzero(np.logical_not(one["gtIgnore"]))
        for d, score in enumerate(one["dtScores"]):
            left = np.asarray(one["dtIgnore"][:, d], dtype=bool)
            rows.append((label, -score, image, (one["dtMatches"][:, d] > 0) & ~left, left))
    rows.sort(key=lambda row: row[:3])
    label, score, image, hit, left = ([row[i] for row in rows] for i in range(5))
    arrays = {"image": np.array(image), "label": np.array(label), "score": -np.array(score), "truths": truths}
    return arrays | {"hit": np.array(hit), "left": np.array(left)}
