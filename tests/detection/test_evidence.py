"""per_image.npz: the record's average precision follows from it, by plain loops that know nothing of boxes."""

import numpy as np
import pytest

from detection.average_precision import Detections
from detection.coco_results import arrays
from detection.metric import decisive, keep, match, score
from detection.task import RESAMPLING
from workflow.reporting.statistics.per_image import read

from .generated import world

CLASSES = ["never found", "a", "b", "c", "difficult", "absent"]


def average_precision(evidence: dict, label: int) -> tuple[float, float] | None:
    """(11 points, area) of a class, from the arrays alone; None if the class has no object that counts."""
    objects = int(evidence["truths"][:, label].sum())
    if not objects:
        return None
    right = wrong = 0
    curve = []
    for row in np.flatnonzero(evidence["label"] == label):
        right += bool(evidence["hit"][row, 0])
        wrong += not evidence["hit"][row, 0] and not evidence["left"][row, 0]
        curve.append((right / objects, right / max(right + wrong, 1)))
    points = sum(max((p for r, p in curve if r >= level), default=0) for level in np.arange(0, 1.05, 0.1)) / 11
    steps = [0, *(r for r, _ in curve)]
    area = sum((r - steps[place]) * max(p for _, p in curve[place:]) for place, (r, _) in enumerate(curve))
    return points, area


@pytest.mark.parametrize("seed", range(6))
def test_the_record_follows_from_the_file(tmp_path, seed):
    ids, truth, found = world(seed, 25, len(CLASSES))
    matches = match(arrays(found), ids, truth, len(CLASSES))
    keep(tmp_path, arrays(found), ids, matches)
    with np.load(tmp_path / "per_image.npz", allow_pickle=False) as file:
        evidence = dict(file)
    both = [average_precision(evidence, label) for label in range(len(CLASSES))]
    record = score(matches, CLASSES)
    points, area = 100 * np.mean([one for one in both if one], axis=0)
    assert [record["mAP"], record["mAP_area"]] == pytest.approx([points, area], abs=1e-4)
    assert list(record["per_class"].values()) == pytest.approx([one and 100 * one[0] for one in both], abs=1e-4)
    assert evidence["images"].tolist() == ids


@pytest.mark.parametrize("images", [10, 25])  # at 10 many a recall is just 3/10, where roundings decide
def test_the_reports_own_curves_begin_at_the_record(tmp_path, images):
    ids, truth, found = world(0, images, len(CLASSES))
    matches = match(arrays(found), ids, truth, len(CLASSES))
    keep(tmp_path, arrays(found), ids, matches)
    undrawn = Detections(read(tmp_path / "per_image.npz", (RESAMPLING,)).arrays)(np.ones((images, 1), dtype=np.int32))
    record = score(matches, CLASSES)
    assert {key: value.item() for key, value in undrawn.items()} == pytest.approx(
        {key: record[key] for key in ("mAP", "mAP_area")}, abs=1e-4
    )


def test_shapes_types_and_order_are_the_contracts(tmp_path):
    ids, truth, found = world(3, 25, len(CLASSES))
    keep(tmp_path, arrays(found), ids, match(arrays(found), ids, truth, len(CLASSES)))
    with np.load(tmp_path / "per_image.npz", allow_pickle=False) as file:
        evidence = dict(file)
    rows = len(evidence["label"])
    expected = {"images": ("int64", (25,)), "image": ("int32", (rows,)), "label": ("int32", (rows,))}
    expected |= {"score": ("float32", (rows,)), "hit": ("bool", (rows, 1)), "left": ("bool", (rows, 1))}
    expected |= {"truths": ("int32", (25, len(CLASSES)))}
    assert {key: (value.dtype.name, value.shape) for key, value in evidence.items()} == expected
    assert (np.diff(evidence["label"]) >= 0).all()
    for label in np.unique(evidence["label"]):
        of_class = evidence["label"] == label
        assert (np.diff(evidence["score"][of_class]) <= 0).all()
        assert evidence["hit"][of_class][-1].any()
    assert not (evidence["hit"] & evidence["left"]).any()
    assert evidence["truths"].sum() == sum(len(one["labels"]) for one in truth)


def test_without_any_detection(tmp_path):
    ids, truth, _ = world(0, 5, len(CLASSES))
    matches = match(arrays([]), ids, truth, len(CLASSES))
    keep(tmp_path, arrays([]), ids, matches)
    assert score(matches, CLASSES)["mAP"] == 0
    with np.load(tmp_path / "per_image.npz") as file:
        assert file["hit"].shape == file["left"].shape == (0, 1)
        assert len(decisive(matches)["image"]) == 0
        assert file["truths"].shape == (5, len(CLASSES))
