"""Photos of objects in scenes: the right class at the right place, train and test objects apart."""

import numpy as np
import pytest
from PIL import Image

from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.data.synthetic import generate
from workflow.data.synthetic.caption_templates import captions
from workflow.data.synthetic.scenes import scene
from workflow.data.synthetic.sprites import Photo, Photos, Shapes, class_names

COLOURS = {"apple": 200, "pear": 120, "plum": 40}  # each class is one gray of its own, in test a little brighter
SPEC = {"trainval07": 4, "trainval12": 3, "test07": 3, "size": 64, "seed": 0}


@pytest.fixture
def objects(tmp_path):
    for split, more in (("train", 0), ("val", 20)):
        for name, gray in COLOURS.items():
            (tmp_path / split / name).mkdir(parents=True)
            for i in range(3):
                pixels = np.full((20 + 10 * i, 30, 3), gray + more, dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / name / f"{i}.png")
    return tmp_path


def test_things_of_a_scene_are_photos_of_their_class(objects):
    for split, more in (("train", 0), ("val", 20)):
        cast = Photos(objects, split)
        assert cast.names == ["apple", "pear", "plum"]
        for index in range(20):
            picture = scene(cast, 96, rng("test", index))
            top = picture.things[-1]  # nothing lies over the last one
            x0, y0, x1, y1 = top.box
            middle = picture.pixels[(y0 + y1) // 2, (x0 + x1) // 2]
            assert middle == pytest.approx(COLOURS[cast.names[top.label]] + more, abs=1)
            assert top.look.name == cast.names[top.label]


def test_a_photo_keeps_its_shape_and_fills_its_box():
    photo = Photo("apple", np.full((20, 40, 3), 200, dtype=np.uint8))
    points = photo.outline(60, rng(0)) + 50
    assert [*points.min(axis=0), *points.max(axis=0)] == [20, 35, 80, 65]
    canvas = np.zeros((100, 100, 3), dtype=np.float32)
    covered = photo.paint(canvas, points, rng(0))
    rows, columns = np.nonzero(covered)
    assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [20, 35, 80, 65]
    assert canvas[50, 50] == pytest.approx(200, abs=1)
    assert 0 < canvas[35, 50].max() < 200, "it fades into what is behind it"
    assert not canvas[~covered].any()


def test_a_photo_over_the_edge_is_cut_and_some_are_mirrored():
    left_half = np.zeros((20, 40, 3), dtype=np.uint8)
    left_half[:, :20] = 255
    bright_right = 0
    for seed in range(40):
        canvas = np.full((40, 40, 3), 128, dtype=np.float32)
        Photo("x", left_half).paint(canvas, np.array([(-20, 10), (20, 10), (20, 30), (-20, 30)]), rng(seed))
        bright_right += canvas[20, 10].max() > 128
    assert 8 < bright_right < 32


def test_captions_speak_of_things(objects):
    texts = []
    for index in range(60):
        draw = rng("test", index)
        picture = scene(Photos(objects, "train"), 96, draw)
        texts += captions(picture, draw)
        assert any(thing.look.name in " ".join(texts[-5:]) for thing in picture.things)
    text = " ".join(texts)
    assert "wo things" in text
    assert "hree things" in text
    assert "shapes" not in text


@pytest.mark.parametrize("name", ["voc", "coco"])
def test_a_set_of_photos_in_both_layouts(name, objects, tmp_path):
    spec = SPEC if name == "voc" else {"train": 4, "val": 3, "size": 64, "seed": 0}
    generate.make(name, spec | {"photos": str(objects)}, tmp_path / "out")
    text = "".join(file.read_text() for file in (tmp_path / "out").rglob("*") if file.suffix in (".xml", ".json"))
    assert all(fruit in text for fruit in COLOURS)
    assert "circle" not in text


def test_test_scenes_have_objects_of_their_own(objects, tmp_path):
    for file in (objects / "val").rglob("*.png"):
        Image.fromarray(np.full((30, 30, 3), 255, dtype=np.uint8)).save(file)
    generate.make("voc", SPEC | {"photos": str(objects)}, tmp_path / "out")
    brightest = {
        name: max(
            np.asarray(Image.open(tmp_path / "out/VOC2007/JPEGImages" / f"{name}.jpg").convert("L")).max()
            for name in names
        )
        for name, names in (("000002", ["000002", "000004", "000006"]),)
    }
    assert brightest["000002"] > 245


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": 3}, "key 'classes' is unknown"),
        ({"photos": "nowhere"}, "nowhere: not a folder of objects"),
        ({"test07": 0}, "test07 must be a whole number of at least 1, not 0"),
    ],
)
def test_a_bad_spec_is_refused(change, message, objects, tmp_path):
    with pytest.raises(UserError, match=message):
        generate.make("voc", SPEC | {"photos": str(objects)} | change, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_too_many_classes_and_an_empty_one_are_refused(objects, tmp_path):
    (objects / "train/void").mkdir()
    with pytest.raises(UserError, match="void: no PNG image"):
        Photos(objects, "train")
    for i in range(12):
        (objects / f"train/c{i}").mkdir()
    with pytest.raises(UserError, match="has more than 12 classes"):
        generate.make("voc", SPEC | {"photos": str(objects)}, tmp_path / "out")


def test_pretraining_is_not_made_of_photos(objects, tmp_path):
    with pytest.raises(UserError, match="key 'classes' is missing"):
        generate.make(
            "imagenet", {"photos": str(objects), "train": 4, "val": 4, "size": 32, "seed": 0}, tmp_path / "out"
        )


def test_class_names_of_shapes_are_distinct_and_a_prefix():
    assert class_names({"classes": 8}) == Shapes(12).names[:8]
    assert len(set(Shapes(12).names)) == 12
