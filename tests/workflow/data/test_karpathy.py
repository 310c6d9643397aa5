"""Karpathy's split: train and restval to train on, test to test on, every entry one of the official images."""

import json
import shutil

import pytest

from captioning import vocabulary
from captioning.metric import references
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.data import coco as door
from workflow.data import karpathy

DRAWN = {"synthetic": {}, "split": "karpathy"}
ROOTED = {"root": "x", "split": "karpathy"}


@pytest.fixture
def root(coco, tmp_path):
    return shutil.copytree(coco.root, tmp_path / "coco")


@pytest.fixture
def edit(root):
    """Change the images of dataset_coco.json."""

    def call(change):
        path = karpathy.split_file(root)
        content = read_json(path)
        change(content["images"])
        path.write_text(json.dumps(content))

    return call


def test_the_drawn_split_is_checked_and_counted(root):
    check = door.check(DRAWN, root)
    assert check.split == "karpathy"
    assert check.counts == {
        **{"train_images": 14, "train_captions": 70, "val_images": 2, "val_captions": 10},
        **{"test_images": 2, "test_captions": 10},
    }
    assert check.fingerprint != door.check({"synthetic": {}, "split": "2014"}, root).fingerprint


def test_read_gives_train_and_restval_to_train_on(root, edit):
    edit(lambda images: images[0]["sentences"][0].update(raw="Only Karpathy says this."))
    check = door.check(DRAWN, root)
    train, test = (door.read(check, part) for part in ("train", "test"))
    assert {image.path.parent.name for image in train} == {"train2014", "val2014"}
    assert {image.path.parent.name for image in test} == {"val2014"}
    assert not {image.image_id for image in train} & {image.image_id for image in test}
    assert all(image.path.is_file() and len(image.captions) == 5 for image in train + test)
    assert [image.image_id for image in train] == sorted(image.image_id for image in train)
    assert "Only Karpathy says this." in [text for image in test for text in image.captions]


def test_captioning_trains_and_scores_on_it(root, tmp_path):
    check = door.check(DRAWN, root)
    check.write(tmp_path / "check.json")
    assert vocabulary.make(check, 1, tmp_path / "words")[1] > 5
    assert references(tmp_path / "check.json").keys() == {image.image_id for image in door.read(check, "test")}


def test_the_counts_of_a_root_are_asserted(root, monkeypatch):
    with pytest.raises(UserError) as caught:
        door.check(ROOTED, root)
    path = karpathy.split_file(root)
    assert f"  {path}: train and restval must be 113,287 images, not 14" in str(caught.value)
    assert f"  {path}: val must be 5,000 images, not 2" in str(caught.value)
    assert f"  {path}: test must be 5,000 images, not 2" in str(caught.value)
    for part, count in {"train": 14, "val": 2, "test": 2}.items():
        monkeypatch.setitem(karpathy.OFFICIAL, part, count)
    assert door.check(ROOTED, root).counts["train_images"] == 14


FAULTS = {
    "absent": (lambda images: images[0].update(filename="x.jpg"), r"val2014/x.jpg is not in the official annotation"),
    "other id": (lambda images: images[0].update(cocoid=77), r"cocoid 77\): val2014/COCO_.*12.jpg has id 12 in the"),
    "split": (
        lambda images: images[0].update(split="dev"),
        "its split must be one of train, restval, val, test, not 'd",
    ),
    "no caption": (lambda images: images[0].update(sentences=[]), r"images\[0\] \(cocoid 12\): it has no caption"),
    "empty caption": (lambda images: images[0]["sentences"][0].update(raw=" "), r"a caption \(`raw`\) is empty"),
    "bare caption": (lambda images: images[0]["sentences"][0].pop("raw"), r"a caption \(`raw`\) is empty"),
    "twice": (lambda images: images.append(images[0]), r"cocoid 12 stands 2 times in 'images'"),
    "no key": (lambda images: images[1].pop("split"), r"dataset_coco.json: images\[1\] has no 'split'"),
    "no test": (
        lambda images: [image.update(split="val") for image in images if image["split"] == "test"],
        r"dataset_coco.json: no image is in test",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_named(fault, root, edit):
    change, message = FAULTS[fault]
    edit(change)
    with pytest.raises(UserError, match=message):
        door.check(DRAWN, root)


def test_an_absent_file_is_named(root):
    karpathy.split_file(root).unlink()
    with pytest.raises(UserError, match=r"annotations/dataset_coco.json: the annotation file is missing"):
        door.check(DRAWN, root)


def test_both_official_parts_are_checked_all_the_same(root):
    (root / "annotations/instances_val2014.json").unlink()
    with pytest.raises(UserError, match=r"instances_val2014.json: the annotation file is missing"):
        door.check(DRAWN, root)


def test_an_image_in_training_and_test_is_refused(root):
    images = {split: karpathy.images(root, split)[0] for split in ("train", "test")}
    paths = {split: root / image["filepath"] / image["filename"] for split, image in images.items()}
    shutil.copy(paths["train"], paths["test"])
    with pytest.raises(UserError, match=r"the same image is used for training, as "):
        door.check(DRAWN, root)
