"""Tiny ImageNet in its public layout becomes three sets: to pretrain on, to transfer to, and out of distribution."""

import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from workflow.core.errors import UserError
from workflow.data import imagenet, imagenet_boxes
from workflow.data.tiny_imagenet import HELD_OUT, PRETRAINED, prepare
from workflow.data.tiny_imagenet import main as tiny_imagenet_door


@pytest.fixture
def public(tmp_path):
    """One image of each class and split, and one class that the study does not use; the object is the bright part."""
    source = tmp_path / "tiny-imagenet-200"
    (source / "val/images").mkdir(parents=True)
    pixels = np.zeros((64, 64, 3), dtype=np.uint8)
    pixels[10:41, 5:36] = 255
    annotations = []
    for i, wnid in enumerate([*PRETRAINED, *HELD_OUT, "n00000000"]):
        folder = source / "train" / wnid / "images"
        folder.mkdir(parents=True)
        names = [f"{wnid}_{n}.JPEG" for n in (0, 349, 350)] if wnid in HELD_OUT else [f"{wnid}_0.JPEG"]
        (folder.parent / f"{wnid}_boxes.txt").write_text("".join(f"{name}\t5\t10\t35\t40\n" for name in names))
        for name in names:
            Image.fromarray(pixels).save(folder / name, quality=100)
        annotations.append(f"val_{i}.JPEG\t{wnid}\t5\t10\t35\t40\n")
        Image.fromarray(pixels).save(source / "val/images" / f"val_{i}.JPEG", quality=100)
    (source / "val/val_annotations.txt").write_text("".join(annotations))
    (source / "words.txt").write_text("n00001740\tentity\nn02123045\ttabby, tabby cat\nn01944390\tsnail\n")
    return source


def test_forty_classes_and_ten_others():
    assert len(set(PRETRAINED)) == 40
    assert len(set(HELD_OUT.values())) == 10
    assert not set(PRETRAINED) & set(HELD_OUT)


def test_the_three_sets(public, tmp_path):
    counts = prepare(public, tmp_path / "out")
    assert counts == {
        "imagenet/train": 40,
        "imagenet/val": 40,
        "objects/train": 20,
        "objects/val": 20,
        "ood_images/held_out": 10,
    }
    assert (tmp_path / "out/imagenet/train/n01944390/n01944390_0.JPEG").is_file()
    names = (tmp_path / "out/imagenet/LOC_synset_mapping.txt").read_text().splitlines()
    assert names[0] == "n01944390 snail"
    assert len(names) == 40
    assert sorted(path.name for path in (tmp_path / "out/objects/train").iterdir()) == sorted(HELD_OUT.values())
    kept = sorted(path.name for path in (tmp_path / "out/objects/val/goldfish").iterdir())
    assert kept == ["n01443537_350.png", "val_40.png"], "objects of the test are none of training's"
    with Image.open(tmp_path / "out/objects/val/goldfish/val_40.png") as cut:
        assert cut.size == (31, 31)
        assert np.asarray(cut).min() > 200, "the box alone, with its last pixel"


def test_boxes_of_val_are_written_in_imagenet_s_format(public, tmp_path):
    """Of the images that are kept, with the size of each."""
    prepare(public, tmp_path / "out")
    root = tmp_path / "out/imagenet"
    assert len(list((root / "val_boxes").iterdir())) == 40
    images = imagenet_boxes.read(imagenet.samples(root, "val"), imagenet.classes(root), root / "val_boxes")
    assert {image.boxes for image in images} == {((5.0, 10.0, 35.0, 40.0),)}
    assert "<width>64</width>" in imagenet_boxes.file_of(root / "val_boxes", images[0].path).read_text()


def test_objects_too_small_to_be_told_are_left_out(public, tmp_path):
    (public / "train/n01443537/n01443537_boxes.txt").write_text("n01443537_0.JPEG\t5\t10\t23\t40\n")
    assert prepare(public, tmp_path / "out")["objects/train"] == 18


def test_images_out_of_distribution_are_whole_and_of_the_classes_held_out(public, tmp_path):
    prepare(public, tmp_path / "out")
    kept = sorted(path.name for path in (tmp_path / "out/ood_images/held_out").iterdir())
    assert kept == [f"val_{i}.JPEG" for i in range(40, 50)]
    with Image.open(tmp_path / "out/ood_images/held_out/val_40.JPEG") as whole:
        assert whole.size == (64, 64)


def test_fewer_images_to_pretrain_on(public, tmp_path):
    """The first of each class by their numbers; the objects and all that is tested stay."""
    for wnid in PRETRAINED:
        images = public / "train" / wnid / "images"
        (images / f"{wnid}_7.JPEG").write_bytes((images / f"{wnid}_0.JPEG").read_bytes())
        (images.parent / f"{wnid}_boxes.txt").write_text(
            f"{wnid}_7.JPEG\t5\t10\t35\t40\n{wnid}_0.JPEG\t5\t10\t35\t40\n"
        )
    counts = prepare(public, tmp_path / "out", 7)
    assert (counts["imagenet/train"], counts["imagenet/val"], counts["objects/train"]) == (40, 40, 20)
    assert prepare(public, tmp_path / "more", 8)["imagenet/train"] == 80
    with pytest.raises(UserError, match=r"^--train-images: 0 is not a number of images$"):
        prepare(public, tmp_path / "none", 0)


@pytest.mark.parametrize(
    ("file", "text", "message"),
    [
        ("val/val_annotations.txt", None, "val_annotations.txt: No such file or directory; is the folder above it"),
        (
            "val/val_annotations.txt",
            "val_0.JPEG\tn01443537\t1\t2\t3\n",
            "val_annotations.txt:1: not a file name, a class",
        ),
        ("words.txt", "n01944390 snail\n", "words.txt: not the set's list of class names"),
        ("train/n02190166/n02190166_boxes.txt", "a.JPEG\n", "n02190166_boxes.txt:1: not a file name and a box: a.JPEG"),
        ("train/n02190166/n02190166_boxes.txt", "a_1.JPEG\t1\t1\t9\t9\n", "a_1.JPEG: No such file"),
    ],
)
def test_a_set_at_fault_is_refused_and_nothing_is_left(public, tmp_path, file, text, message):
    (public / file).unlink()
    if text:
        (public / file).write_text(text)
    with pytest.raises(UserError, match=message):
        prepare(public, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_command_line(public, tmp_path):
    command = [sys.executable, "-m", "workflow.data.tiny_imagenet", str(public), "--out", str(tmp_path / "out")]
    first, again = (subprocess.run(command, capture_output=True, text=True) for _ in range(2))
    assert first.returncode == 0, first.stderr
    assert first.stdout.splitlines()[-1].endswith("ood_images/held_out: 10 images")
    assert again.stderr.splitlines()[-1] == f"error: {tmp_path / 'out'} exists already; remove it to make it again"


def test_tiny_imagenet_must_be_given_each_of_its_arguments(required):
    assert required(tiny_imagenet_door) == ["source"]
