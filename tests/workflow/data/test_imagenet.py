"""The ImageNet check lets good folders pass and names what is wrong with bad ones."""

import json
import shutil
import subprocess
import sys

import pytest
from torchvision.datasets import ImageFolder

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import imagenet as door
from workflow.data.class_folders import ClassFolders


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
    check = DatasetInfo.read(imagenet.check)
    assert check.set == "imagenet"
    assert check.classes == ["n00000001", "n00000002", "n00000003", "n00000004"]
    assert check.counts == {"train": 40, "val": 12}
    assert check == door.check(imagenet.section, imagenet.root)


def test_a_moved_set_keeps_its_fingerprint_and_a_changed_one_does_not(imagenet, root):
    before = DatasetInfo.read(imagenet.check).fingerprint
    assert door.check({}, root).fingerprint == before
    (root / "train/n00000001/n00000001_0.JPEG").unlink()
    assert door.check({}, root).fingerprint != before


@pytest.mark.parametrize("split", ["train", "val"])
def test_the_order_is_torchvisions(imagenet, split):
    expected = [(path, label) for path, label in ImageFolder(imagenet.root / split).samples]
    assert [(str(path), label) for path, label in door.samples(imagenet.root, split)] == expected


def test_duplicates_of_the_official_set_are_a_warning(root, monkeypatch, capsys):
    shutil.copy(root / "train/n00000001/n00000001_0.JPEG", root / "val/n00000001/mine.JPEG")
    monkeypatch.setitem(door.OFFICIAL, "val", 13)
    assert door.check({}, root).counts["val"] == 13
    assert "warning: " in capsys.readouterr().out


@pytest.mark.parametrize(("changed", "warned"), [({}, True), ({"train": 40}, False), ({"classes": 5}, False)])
def test_an_official_set_that_lacks_training_images_is_a_warning(changed, warned, imagenet, monkeypatch, capsys):
    monkeypatch.setattr(door, "OFFICIAL", {"classes": 4, "train": 1_281_167, "val": 12} | changed)
    assert door.check({}, imagenet.root).counts["train"] == 40
    line = f"warning: {imagenet.root / 'train'}: 40 images, not the official {door.OFFICIAL['train']:,}\n"
    assert (line in capsys.readouterr().out) == warned


def test_the_command_line(root, tmp_path):
    out = tmp_path / "check.json"
    command = [
        sys.executable,
        "-m",
        "workflow.data.imagenet",
        "--dataset-config",
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


def nested(root):
    """Seven of ten images of a class in folders below it, one of them behind a link, and suffixes in capitals."""
    folder = root / "train/n00000001"
    (folder / "more/deep").mkdir(parents=True)
    for number, path in enumerate(sorted(folder.glob("*.JPEG"))[:7]):
        path.rename(folder / ("more/deep" if number % 2 else "more") / f"{path.stem}.JpG")
    (folder / "more/deep").rename(root.parent / "away")
    (folder / "more/deep").symlink_to(root.parent / "away")


@pytest.mark.parametrize("split", ["train", "val"])
def test_images_in_folders_below_a_class_s_are_used_in_torchvision_s_order(split, root):
    nested(root)
    expected = ImageFolder(root / split).samples
    assert len(expected) == {"train": 40, "val": 12}[split]
    assert [(str(path), label) for path, label in door.samples(root, split)] == expected
    folders = ClassFolders(str(root / split))
    assert [(f"{folders.root}/{folders.name(n)}", folders.targets[n]) for n in range(len(folders))] == expected
    assert door.check({}, root).counts[split] == len(expected)


LEFT_BEHIND = [
    *(".DS_Store", "._n00000001", "Thumbs.db", ".ipynb_checkpoints/a.JPEG", "__MACOSX/._a.JPEG", "@eaDir/a.JPEG"),
    *("lost+found/x", ".snapshot/a.JPEG", ".hidden/a.JPEG", "$RECYCLE.BIN/a.png", "desktop.ini"),
]


@pytest.mark.parametrize("place", ["train", "val", "train/n00000001", "val/n00000002"])
def test_what_tools_leave_behind_is_no_class_and_no_image_and_is_counted(place, root, capsys):
    before = door.check({}, root)
    assert "not used" not in capsys.readouterr().out
    for name in LEFT_BEHIND:
        (root / place / name).parent.mkdir(exist_ok=True)
        (root / place / name).write_bytes(b"x")
    assert door.check({}, root) == before
    split = place.partition("/")[0]
    assert f"{root / split}: 11 not used, left by tools or the file system: " in capsys.readouterr().out
    assert len(ClassFolders(str(root / split))) == before.counts[split]


def test_whatever_is_not_used_is_counted_and_named_with_the_reason(root, capsys):
    (root / "test").mkdir()
    (root / "train/notes.JPEG").write_bytes(b"x")
    (root / "train/n00000001/more").mkdir()
    (root / "train/n00000001/more/a.txt").write_bytes(b"x")
    (root / "train/n00000002/b.heic").write_bytes(b"x")
    (root / "train/n00000002/loop").symlink_to(root / "train/n00000002")
    assert door.check({}, root).counts == {"train": 40, "val": 12}
    out = capsys.readouterr().out
    assert f"{root}: 1 not used, neither train nor val: test\n" in out
    assert f"{root / 'train'}: 1 not used, outside the class folders: notes.JPEG\n" in out
    assert f"{root / 'train'}: 2 not used, no images by their names: 1 '.txt', 1 '.heic'\n" in out
    assert f"{root / 'train'}: 1 not used, left by tools or the file system: n00000002/loop\n" in out
