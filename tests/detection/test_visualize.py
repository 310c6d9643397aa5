"""The same images with each backbone's detections: which images, which boxes, and what is right."""

import io
import json
import sys

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from PIL import Image

from detection import visualize as door
from detection.cli import main
from detection.visualize import (
    CELL,
    DPI,
    GAP,
    HEAD,
    LEAST,
    Scene,
    Thing,
    best_first,
    detections,
    draw,
    draw_cell,
    judged,
    overlap,
    scenes,
)
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import sha256, write_json
from workflow.data import voc as voc_set
from workflow.data.voc_lists import members
from workflow.reporting.figures import made_of
from workflow.training import per_image

ONE = (0.0, 0.0, 10.0, 10.0)


def test_voc_images_are_spread_and_boxes_are_counted_from_zero(voc, monkeypatch):
    monkeypatch.setattr(door, "IMAGES", 3)
    found, names = scenes(DatasetInfo.read(voc.check))
    listed = list(members(voc.root, "test07"))
    assert [scene.name for scene in found] == [listed[0], listed[2], listed[4]]
    assert [scene.image_id for scene in found] == [int(name) for name in (listed[0], listed[2], listed[4])]
    assert names == dict(enumerate(DatasetInfo.read(voc.check).classes, start=1))
    for scene in found:
        file = voc_set.annotation_path(voc.root, "test07", scene.name)
        objects = voc_set.parse(file.read_bytes(), file).objects
        assert [(thing.name, thing.sure) for thing in scene.truth] == [(name, not d) for name, _, d in objects]
        for thing, (_, box, _) in zip(scene.truth, objects, strict=True):
            assert thing.box == (box[0] - 1, box[1] - 1, box[2], box[3])


def test_coco_images_have_the_boxes_of_their_instances(coco):
    found, names = scenes(DatasetInfo.read(coco.check))
    content = json.loads((coco.root / "annotations/instances_val2014.json").read_text())
    assert [scene.image_id for scene in found] == sorted(image["id"] for image in content["images"])
    assert sorted(names) == [category["id"] for category in content["categories"]]
    assert sum(len(scene.truth) for scene in found) == len(content["annotations"])
    first = next(one for one in content["annotations"] if one["image_id"] == found[0].image_id)
    x, y, width, height = first["bbox"]
    assert (x, y, x + width, y + height) in [thing.box for thing in found[0].truth]
    assert all(Image.open(scene.path).size for scene in found)


def test_overlap_is_intersection_over_union():
    assert overlap(ONE, ONE) == 1
    assert overlap(ONE, (5, 0, 15, 10)) == pytest.approx(1 / 3)
    assert overlap(ONE, (10, 0, 20, 10)) == overlap(ONE, (20, 20, 30, 30)) == 0


def test_a_detection_is_right_if_it_finds_an_object_of_its_class_that_none_before_it_found():
    truth = [Thing("cat", ONE, True), Thing("dog", (20, 0, 30, 10), True)]
    found = [
        Thing("cat", (0, 0, 10, 9), False, 0.9),
        Thing("cat", ONE, False, 0.8),  # found already
        Thing("cat", (20, 0, 30, 10), False, 0.7),  # is a dog
        Thing("dog", (20, 0, 30, 4.9), False, 0.6),  # too small
        Thing("dog", (20, 0, 30, 5), False, 0.5),  # just half of it
    ]
    assert [one.sure for one in judged(found, truth)] == [True, False, False, False, True]


@pytest.fixture
def run(tmp_path):
    """Call it with COCO results to get a run's folder."""

    def write_run(results, hits=()):
        write_json(tmp_path / "run/predictions.json", results)
        hit = np.ones((len(hits), 1), bool)
        arrays = {"image": np.zeros(len(hits), int), "label": np.ones(len(hits), int), "score": np.float32(hits)}
        truths = np.array([[0, 4], [0, 0]])
        per_image.write(tmp_path / "run/per_image.npz", [1, 2], **arrays, hit=hit, left=~hit, truths=truths)
        write_json(tmp_path / "run/metrics.json", {})
        return tmp_path / "run"

    return write_run


def detection(image, score, box=(0, 0, 10, 10)):
    return {"image_id": image, "category_id": 2, "bbox": list(box), "score": score}


@pytest.mark.parametrize(("hits", "least"), [((), LEAST), ((0.8,), 0.8), ((0.8, 0.1), 0.1)])
def test_detections_are_of_their_image_and_from_the_score_of_the_best_f1_on(run, tmp_path, hits, least):
    found = [Scene(tmp_path, "a", 1, [Thing("dog", (2, 3, 6, 8), True)]), Scene(tmp_path, "b", 2, [])]
    results = [detection(2, 0.9), detection(1, least - 0.01), detection(1, least, (2, 3, 4, 5)), detection(3, 0.9)]
    score, (first, second) = detections(run(results, hits), found, {1: "cat", 2: "dog"})
    assert score == pytest.approx(least)
    assert first == [Thing("dog", (2, 3, 6, 8), True, least)]
    assert [(one.sure, one.label) for one in second] == [(False, "dog 0.90")]


def test_what_is_no_detection_result_is_named(run, tmp_path):
    scene = Scene(tmp_path, "a", 1, [])
    for results in ([{"score": 1}], 5, [detection(1, "high")]):
        with pytest.raises(UserError, match=r"predictions\.json: not COCO detection results"):
            detections(run(results), [scene], {2: "dog"})
    with pytest.raises(UserError, match="FileNotFoundError"):
        detections(tmp_path, [scene], {})
    (folder := run([])).joinpath("per_image.npz").unlink()
    with pytest.raises(UserError, match=r"per_image\.npz: missing"):
        detections(folder, [scene], {})


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)), float)


def near(drawn, colour):
    """How many pixels are about that colour."""
    wanted = np.array([int(colour[n : n + 2], 16) for n in (1, 3, 5)])
    return int((np.abs(drawn - wanted).max(axis=2) < 40).sum())


def test_boxes_are_drawn_where_they_are_and_in_their_column(tmp_path):
    Image.new("RGB", (100, 50)).save(tmp_path / "x.png")
    scene = Scene(tmp_path / "x.png", "x", 1, [Thing("cat", (10, 10, 40, 40), True)])
    right, wrong = Thing("cat", (50, 10, 90, 40), True, 0.9), Thing("$dog_", (50, 10, 90, 40), False, 0.5)
    drawn = pixels(draw([scene], {"a": [[right]], "b": [[wrong]], "$c^": [[]]}, 100, {}))
    wanted = (HEAD + CELL / 2 + GAP) * DPI, (4 * (CELL + GAP) + GAP) * DPI, 3
    assert drawn.shape == pytest.approx(wanted, abs=1)
    columns = [
        drawn[round(HEAD * DPI) :, round((GAP + n * (CELL + GAP)) * DPI) :][:, : round(CELL * DPI)] for n in range(4)
    ]
    for n in range(4):
        begin = round((GAP + n * (CELL + GAP)) * DPI)
        assert drawn[5 : round(HEAD * DPI) - 5, begin : begin + 20].min() < 100, (
            "each column's name begins where it does"
        )
    for n, colour in ((1, door.RIGHT), (2, door.WRONG)):
        assert near(columns[n], colour) > 200
        assert near(columns[n][:, : round(0.45 * CELL * DPI)], colour) == 0, "nothing left of the box"
        assert near(columns[3 - n], colour) == 0
    middle = columns[3][10:-20, 10:-10]
    assert middle.max() < 40, "nothing was found, nothing is drawn"
    assert near(columns[0][:, : round(0.3 * CELL * DPI)], door.OBJECT) > 100


@pytest.mark.parametrize(
    ("box", "at", "side"),
    [
        ((10, 20, 40, 40), (10, 20), "left"),
        ((-3, 1, 40, 40), (0, 3), "left"),  # within the image
        ((59, 20, 80, 40), (59, 20), "left"),
        ((60, 20, 80, 40), (80, 20), "right"),
        ((70, 20, 104, 40), (100, 20), "right"),
    ],
)
def test_words_stand_above_the_box_and_end_with_it_on_the_right(box, at, side):
    for thing, colour in ((Thing("cat", box, True), door.OBJECT), (Thing("cat", box, True, 0.5), door.RIGHT),
                          (Thing("cat", box, False, 0.5), door.WRONG)):  # fmt: skip
        axes = Figure().add_axes((0, 0, 1, 1))
        draw_cell(axes, Image.new("RGB", (20, 10)), (100, 50), [thing])
        assert axes.images[0].get_extent() == [0, 100, 50, 0]
        (words,) = axes.texts
        assert (words.get_position(), words.get_ha(), words.get_va()) == (pytest.approx(at), side, "bottom")
        assert words.get_text() == ("cat" if thing.score is None else "cat 0.50")
        below, above = axes.patches
        for patch in (below, above):
            x, y = patch.get_xy()
            assert (x, y, x + patch.get_width(), y + patch.get_height()) == pytest.approx(box)
            assert not patch.get_fill()
        assert (to_hex(above.get_edgecolor()), to_hex(below.get_edgecolor())) == (colour, "#000000")
        assert to_hex(words.get_bbox_patch().get_facecolor()) == colour
        assert (above.get_linestyle() in ("-", "solid")) == thing.sure
        assert below.get_linewidth() > above.get_linewidth()


@pytest.mark.parametrize("name", [3 * "stochastic_depth_", 45 * "W"])
def test_a_long_name_stays_in_its_column(tmp_path, name):
    Image.new("RGB", (100, 50)).save(tmp_path / "x.png")
    scene = Scene(tmp_path / "x.png", "x", 1, [])
    before, after = (pixels(draw([scene], {each: [[]], "b": [[]]}, 100, {})) for each in ("a", name))
    head = round((HEAD + 2 * door.LINE) * DPI)
    assert after.shape[0] == pytest.approx(before.shape[0] + 2 * door.LINE * DPI, abs=2), "three lines"
    start, end = round((GAP + CELL) * DPI), round(2 * (GAP + CELL) * DPI)
    assert after[:head, start:end].min() < 100
    assert after[:head, end + 2 : end + round(GAP * DPI) - 2].min() > 235, "nothing in the space before the next column"


def test_the_command_line_writes_a_jpeg(voc, run, tmp_path, monkeypatch, capsys):
    image = int(next(iter(members(voc.root, "test07"))))
    folder, out = run([detection(image, 0.9)]), tmp_path / "report/d.jpg"
    named = [f"{name}={folder}" for name in ("baseline", "cutmix")]
    monkeypatch.setattr(
        sys, "argv", ["detection", "visualize", "--runs", *named, "--dataset-info", str(voc.check), "--out", str(out)]
    )
    main()
    assert capsys.readouterr().out.startswith("detections: 6 images, 2 backbones, ")
    assert Image.open(out).format == "JPEG"
    assert made_of(out.read_bytes()) == {f"{folder}/metrics.json": sha256(f"{folder}/metrics.json")}
    before = out.read_bytes()
    main()
    assert out.read_bytes() == before


def test_the_detection_that_the_threshold_was_taken_from_is_drawn():
    """As fp32 its score of 0.1 is a little more."""
    found = [Thing("star", (0, 0, 1, 1), False, score) for score in (0.05, 0.1, 0.9)]
    assert [one.score for one in best_first(found, float(np.float32(0.1)))] == [0.9, 0.1]
