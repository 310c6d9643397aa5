"""As torchvision lists them, in a fraction of the memory."""

import pickle

import pytest
from torchvision.datasets import ImageFolder

from workflow.data.class_folders import ClassFolders


def test_the_images_are_those_of_torchvision_in_its_order(imagenet):
    for split in ("train", "val"):
        ours, theirs = ClassFolders(f"{imagenet.root}/{split}"), ImageFolder(f"{imagenet.root}/{split}")
        assert [(f"{ours.root}/{ours.name(n)}", ours.targets[n]) for n in range(len(ours))] == theirs.samples


def test_any_name_and_any_number_of_images(tmp_path):
    for name in ("b/ä b.JPEG", "b/x.png", "a/long name of a photo.jpg", "a/readme.txt", "empty/none.txt", "c/x.jpeg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = ClassFolders(str(tmp_path))
    assert [(found.name(n), found.targets[n]) for n in range(len(found))] == [
        ("a/long name of a photo.jpg", 0),
        ("b/x.png", 1),
        ("b/ä b.JPEG", 1),
        ("c/x.jpeg", 2),
    ]


def test_an_image_costs_its_name_and_little_more(tmp_path):
    (tmp_path / "n01").mkdir()
    for number in range(1000):
        (tmp_path / f"n01/n01_{number:04d}.JPEG").touch()
    assert len(pickle.dumps(ClassFolders(str(tmp_path)))) < 1000 * 30


def test_a_folder_without_images_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="no images in class folders"):
        ClassFolders(str(tmp_path))
