"""The ImageNet check lets good folders pass and names what is wrong with bad ones."""

import json
import shutil
import subprocess
import sys

import pytest
from torchvision.datasets import ImageFolder

from workflow.data import imagenet as door
from workflow.training.errors import UserError
from workflow.training.files import read_json


@pytest.fixture
def root(imagenet, tmp_path):
    return shutil.copytree(imagenet.root, tmp_path / "imagenet")


def flatten(root):
    for path in list((root / "val").rglob("*.JPEG")):
        path.rename(root / "val" / path.name)
    for folder in [path for path in (root / "val").iterdir() if path.is_dir()]:
        folder.rmdir()


def empty_class(root):
    for path in (root / "train/n00000002").iterdir():
        path.unlink()


def truncate(root):
    path = root / "train/n00000001/n00000001_3.JPEG"
    path.write_bytes(path.read_bytes()[:-300])


BROKEN = {
    "no root": (shutil.rmtree, r"imagenet: the ImageNet folder is missing"),
    "no val": (lambda root: shutil.rmtree(root / "val"), r"val: ImageNet's folder val is missing"),
    "no class in val": (
        lambda root: shutil.rmtree(root / "val/n00000003"),
        r"val/n00000003: the class folder is missing, train has it",
    ),
    "unknown class in val": (
        lambda root: shutil.copytree(root / "val/n00000003", root / "val/n00000009"),
        r"val/n00000009: train has no such class folder",
    ),
    "unsorted val": (flatten, r"val: there are no class folders; it holds 12 images that are not sorted into them"),
    "empty class": (empty_class, r"train/n00000002: the class folder holds no image"),
    "empty split": (
        lambda root: [shutil.rmtree(path) for path in (root / "train").iterdir()],
        r"train: there are no class folders; it is empty",
    ),
    "one class": (
        lambda root: [shutil.rmtree(root / f"train/n0000000{k}") for k in (2, 3, 4)],
        r"train: there must be two class folders at least, found 1",
    ),
    "empty image": (
        lambda root: (root / "val/n00000001/ILSVRC2012_val_00000001.JPEG").write_bytes(b""),
        r"val/n00000001/ILSVRC2012_val_00000001.JPEG: the image is empty \(0 bytes\)",
    ),
    "truncated image": (truncate, r"n00000001_3.JPEG: the image cannot be decoded: image file is truncated"),
    "shared image": (
        lambda root: shutil.copy(root / "train/n00000001/n00000001_0.JPEG", root / "val/n00000001/mine.JPEG"),
        r"val/n00000001/mine.JPEG: the same image is used for training, as .*train/n00000001/n00000001_0.JPEG",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_every_fault_is_named(fault, root):
    damage, message = BROKEN[fault]
    damage(root)
    with pytest.raises(UserError, match=message):
        door.check({}, root)


def test_what_a_check_holds(imagenet):
    check = read_json(imagenet.check)
    assert check.pop("sha256")
    assert check["set"] == "imagenet"
    assert check["classes"] == ["n00000001", "n00000002", "n00000003", "n00000004"]
    assert check["counts"] == {"train": 40, "val": 12}
    assert check == door.check(imagenet.section, imagenet.root)


def test_a_moved_set_keeps_its_fingerprint_and_a_changed_one_does_not(imagenet, root):
    before = read_json(imagenet.check)["fingerprint"]
    assert door.check({}, root)["fingerprint"] == before
    (root / "train/n00000001/n00000001_0.JPEG").unlink()
    assert door.check({}, root)["fingerprint"] != before


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_order_is_torchvisions(imagenet, split):
    expected = [(path, label) for path, label in ImageFolder(imagenet.root / split).samples]
    assert [(str(path), label) for path, label in door.samples(imagenet.root, split)] == expected


def test_duplicates_of_the_official_set_are_a_warning(root, monkeypatch, capsys):
    shutil.copy(root / "train/n00000001/n00000001_0.JPEG", root / "val/n00000001/mine.JPEG")
    monkeypatch.setitem(door.OFFICIAL, "val", 13)
    assert door.check({}, root)["counts"]["val"] == 13
    assert "warning: " in capsys.readouterr().out


@pytest.mark.parametrize(("changed", "warned"), [({}, True), ({"train": 40}, False), ({"classes": 5}, False)])
def test_an_official_set_that_lacks_training_images_is_a_warning(changed, warned, imagenet, monkeypatch, capsys):
    monkeypatch.setattr(door, "OFFICIAL", {"classes": 4, "train": 1_281_167, "val": 12} | changed)
    assert door.check({}, imagenet.root)["counts"]["train"] == 40
    line = f"warning: {imagenet.root / 'train'}: 40 images, not the official {door.OFFICIAL['train']:,}\n"
    assert (line in capsys.readouterr().out) == warned


def test_the_command_line(root, tmp_path):
    out = tmp_path / "check.json"
    command = [
        sys.executable,
        "-m",
        "workflow.data.imagenet",
        "--section",
        "{}",
        "--root",
        str(root),
        "--out",
        str(out),
    ]
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert json.loads(out.read_text())["counts"] == {"train": 40, "val": 12}
    out.unlink()
    shutil.rmtree(root / "val")
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1
    fetch = "`snakemake data --cores 2 --configfile CONFIG` fetches the official one"
    assert bad.stderr == f"error: {root / 'val'}: ImageNet's folder val is missing; {fetch}\n"
    assert not out.exists()
