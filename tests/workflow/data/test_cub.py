"""The check of CUB: a drawn set is fine, and a fault is named with its file and line."""

import re
import shutil

import pytest
from PIL import Image

from workflow.core.errors import UserError
from workflow.data import cub
from workflow.data.synthetic import generate

SPEC = {"classes": 4, "train": 12, "test": 8, "size": 32, "seed": 0}
FIRST = "001.circle/circle_train_0000.jpg"


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    root = tmp_path_factory.mktemp("cub") / "cub"
    generate.make("cub", SPEC, root)
    return root


@pytest.fixture
def root(generated, tmp_path):
    return shutil.copytree(generated, tmp_path / "cub")


def test_a_synthetic_set_is_fine(generated):
    found = cub.check({"synthetic": SPEC}, generated, threads=1)
    assert found.counts == {"train": 12, "test": 8}
    assert found.classes == ["001.circle", "002.square", "003.triangle", "004.star"]
    images = cub.samples(generated, "test")
    assert [image.label for image in images] == [0, 1, 2, 3, 0, 1, 2, 3]
    for image in images:
        ((x0, y0, x1, y1),) = image.boxes
        assert 0 <= x0 < x1 <= 32
        assert 0 <= y0 < y1 <= 32


def test_width_and_height_are_no_corner(root):
    text = (root / "bounding_boxes.txt").read_text()
    (root / "bounding_boxes.txt").write_text(re.sub("^1 .*", "1 3.5 4.0 10.0 20.5", text))
    assert cub.samples(root, "train")[0].boxes == ((3.5, 4.0, 13.5, 24.5),)


def test_lists_may_be_in_any_order_and_images_grey(root):
    expected = [image._replace(path="") for image in cub.samples(root, "train")]
    for name in ("images.txt", "bounding_boxes.txt", "classes.txt"):
        (root / name).write_text("\n".join(reversed((root / name).read_text().splitlines())) + "\n")
    with Image.open(root / "images" / FIRST) as photo:
        photo.convert("L").save(root / "images" / FIRST)
    assert [image._replace(path="") for image in cub.samples(root, "train")] == expected
    assert cub.check({}, root, threads=1).counts == {"train": 12, "test": 8}


def test_another_box_is_another_set(root):
    before = cub.check({}, root, threads=1).fingerprint
    text = (root / "bounding_boxes.txt").read_text()
    (root / "bounding_boxes.txt").write_text(re.sub("^1 .*", "1 3 4 10 20", text))
    assert cub.check({}, root, threads=1).fingerprint != before


def test_all_faults_are_listed(root):
    text = (root / "bounding_boxes.txt").read_text()
    (root / "bounding_boxes.txt").write_text(re.sub("^1 .*", "1 3 4 100 20", text))
    (root / "images" / "002.square/square_test_0001.jpg").write_bytes(b"")
    with pytest.raises(UserError, match="2 faults") as error:
        cub.check({}, root, threads=1)
    assert "bounding_boxes.txt: circle_train_0000.jpg: the box (3, 4, 103, 24) is outside the image" in str(error.value)
