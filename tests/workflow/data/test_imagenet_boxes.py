"""The boxes of ImageNet's validation images, and what makes up a set with them."""

import re
import shutil

import pytest

from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.data import imagenet, imagenet_boxes
from workflow.data.imagenet_boxes import write_annotation
from workflow.data.sets.imagenet import DATASET, WITH_BOXES
from workflow.data.synthetic.scenes import single_object_scene
from workflow.data.synthetic.sprites import Shapes

XML = "val_boxes/ILSVRC2012_val_00000001.xml"
SECTION = {"root": "x", "val_boxes": "val_boxes"}


@pytest.fixture
def root(imagenet, tmp_path):
    return shutil.copytree(imagenet.root, tmp_path / "imagenet")


def read(root):
    return imagenet_boxes.read(imagenet.samples(root, "val"), imagenet.classes(root), root / "val_boxes")


def test_drawn_boxes_are_those_of_the_drawn_objects(root):
    for image in read(root):
        number = int(image.path[-13:-5]) - 1
        x0, y0, x1, y1 = (
            single_object_scene(number % 4, Shapes(4), 48, rng("synthetic", "imagenet", 0, "val", number)).things[0].box
        )
        assert image.boxes == ((x0, y0, x1 - 1, y1 - 1),)
        assert image.label == number % 4


def test_boxes_are_part_of_a_set_that_names_them(root):
    with_boxes, without = imagenet.check(SECTION, root, threads=1), imagenet.check({"root": "x"}, root, threads=1)
    drawn = imagenet.check({"synthetic": {}}, root, threads=1)
    assert (with_boxes.kinds, without.kinds, drawn.kinds) == (["boxes"], [], ["boxes"])
    assert without.fingerprint == drawn.fingerprint != with_boxes.fingerprint, "of drawn ones the images' seed tells"
    assert DATASET.missing(with_boxes, WITH_BOXES) == DATASET.missing(without, "training images") == ""
    assert "has no boxes of val" in DATASET.missing(without, WITH_BOXES)
    text = (root / XML).read_text()
    (root / XML).write_text(re.sub(r"<xmin>\d+", "<xmin>1", text))
    assert imagenet.check(SECTION, root, threads=1).fingerprint != with_boxes.fingerprint


def test_several_boxes_and_no_size(root):
    box = "<xmin>1</xmin><ymin>2</ymin><xmax>9</xmax><ymax>8</ymax>"
    more = f"<object><name>n00000001</name><bndbox>{box}</bndbox></object></annotation>"
    text = re.sub("<size>.*</size>", "", (root / XML).read_text(), flags=re.DOTALL)
    (root / XML).write_text(text.replace("</annotation>", more))
    assert read(root)[0].boxes[1] == (1, 2, 9, 8)
    imagenet.check(SECTION, root, threads=1)


@pytest.mark.parametrize("edges", [(20, 47, 45, 47), (0, 0, 0, 9), (47, 47, 47, 47), (0, 0, 48, 48)])
def test_a_box_of_one_row_of_pixels_is_one(root, edges):
    """As some of Tiny ImageNet's."""
    write_annotation(root / "val_boxes", XML[10:], "n00000001", (48, 48), edges)
    assert read(root)[0].boxes == (edges,)
    assert imagenet.check(SECTION, root, threads=1).kinds == ["boxes"]


def test_faults_of_the_official_set_are_warnings(root, capsys, monkeypatch):
    monkeypatch.setitem(imagenet.OFFICIAL, "val", 12)
    (root / XML).write_text((root / XML).read_text().replace("<name>n00000001", "<name>n00000002"))
    assert imagenet.check(SECTION, root, threads=1).kinds == ["boxes"]
    said = f"warning: {root / XML}: object 1 (n00000002): the image is in the folder n00000001"
    assert said in capsys.readouterr().out


def test_held_out_images_are_none_of_the_test(root):
    lists = root.parent / "lists"
    lists.mkdir()
    name = "n00000001/ILSVRC2012_val_00000001.JPEG"
    (lists / "class_labels.txt").write_text(f"{name},0\n")
    (lists / "localization.txt").write_text(f"{name},1,2,30,40\n")
    images = shutil.copytree(root / "val", root.parent / "more")
    section = {"root": "x", "held_out": {"images": str(images), "lists": str(lists)}}
    path = root / "val" / name
    path.write_bytes((root / "val/n00000001/ILSVRC2012_val_00000005.JPEG").read_bytes())
    found = imagenet.check(section, root, threads=1)
    assert found.counts == {"train": 40, "val": 12, "held_out": 1}
    assert found.fingerprint != imagenet.check({"root": "x"}, root, threads=1).fingerprint
    shutil.copy(images / name, path)
    with pytest.raises(UserError, match="the same image is used for training, as "):
        imagenet.check(section, root, threads=1)


def test_an_annotation_is_read_as_it_was_written(tmp_path):
    write_annotation(tmp_path, "a&b.JPEG", "n1<2", (30, 20), (1, 2, 28, 19))
    (image,) = imagenet_boxes.read([("x/a&b.JPEG", 0)], ["n1<2"], tmp_path)
    assert image == ("x/a&b.JPEG", 0, ((1.0, 2.0, 28.0, 19.0),))
