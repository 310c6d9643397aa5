"""A set of one's own: which folder has the test images, and names for class folders."""

import shutil

import pytest

from pretrain.gallery import class_names
from workflow.data import image_folder


@pytest.fixture
def root(image_folder, tmp_path):
    return shutil.copytree(image_folder.root, tmp_path / "mine")


def test_test_images_are_in_test_or_in_val(root):
    before = image_folder.check({}, root, threads=1)
    assert before.counts == {"train": 20, "test": 8}
    shutil.copytree(root / "test", root / "val")
    assert image_folder.folder_of(root, "test") == "test", "where it has class folders"
    shutil.rmtree(root / "test")
    assert image_folder.folder_of(root, "test") == "val"
    found = image_folder.check({}, root, threads=1)
    assert (found.counts, found.classes) == (before.counts, before.classes)
    (root / "test").mkdir()
    (root / "test/0.jpg").write_bytes(b"of a challenge, without a label")
    assert image_folder.folder_of(root, "test") == "val"
    assert image_folder.open_part(str(root), "test").root == f"{root}/val"


def test_folders_have_names_for_people(root):
    check = image_folder.check({}, root, threads=1)
    assert check.classes == ["class_00", "class_01", "class_02", "class_03"]
    assert class_names(check) == ["circle", "square", "triangle", "star"]
    (root / "LOC_synset_mapping.txt").write_text("class_01 dog, hound\n")
    assert class_names(check) == ["class_00", "dog", "class_02", "class_03"]
    (root / "LOC_synset_mapping.txt").unlink()
    assert class_names(check) == check.classes
