"""ImageNet from the tars of its publisher, which nothing downloads."""

import dataclasses
import hashlib
from types import SimpleNamespace

import pytest

from tests.workflow.data.conftest import below, small, tar_of
from tests.workflow.data.fetch.test_unpack import devkit
from workflow.core.errors import UserError
from workflow.data.fetch import fetch as fetching
from workflow.data.fetch.fetch import fetch


def test_what_was_unpacked_before_is_room_that_is_not_needed(imagenet_archives, tmp_path, monkeypatch):
    root, asked = tmp_path / "i", []
    monkeypatch.setattr(fetching, "need_room", lambda folder, size, what: asked.append(size))
    for archive, done in (("train", "train/n01/n01_0.JPEG"), ("val", "val/n01/of_old.JPEG")):
        left = root / f".fetch/ILSVRC2012_img_{archive}.tar.unpacking" / done
        left.parent.mkdir(parents=True)
        left.write_bytes(b"1234567")
    sources = [
        dataclasses.replace(s, gives={f"{part}/*": 2})
        for s, part in zip(imagenet_archives.sources, ("train", "val"), strict=True)
    ]
    fetch("imagenet", {"root": "x", "source": str(imagenet_archives.folder)}, root, sources)
    train, val = (path.stat().st_size for path in sorted(imagenet_archives.folder.glob("*.tar")))
    assert asked == [train - 7, val], "training classes are kept, the rest is unpacked anew"
    assert (root / "train/n01/n01_0.JPEG").read_bytes() == b"1234567"
    assert not (root / "val/n01/of_old.JPEG").exists()


@pytest.fixture
def imagenet_archives(tmp_path):
    """A folder with ImageNet's three archives: two classes, three and two images."""
    classes = {f"{wnid}.tar": tar_of({f"{wnid}_{n}.JPEG": b"x" for n in range(3)}) for wnid in ("n01", "n02")}
    archives = {
        "ILSVRC2012_img_train.tar": tar_of(classes),
        "ILSVRC2012_img_val.tar": tar_of({f"ILSVRC2012_val_{n:08d}.JPEG": b"x" for n in (1, 2)}),
        "ILSVRC2012_devkit_t12.tar.gz": devkit({1: "n02", 2: "n01"}, [1, 2]),
    }
    folder = tmp_path / "archives"
    folder.mkdir()
    for name, data in archives.items():
        (folder / name).write_bytes(data)
    train, val = small("imagenet", archives, [{"train/*": 2, "train/*/*.JPEG": 6}, {"val/*": 2, "val/*/*.JPEG": 2}])
    kit = {"file": val.devkit["file"], "sha256": hashlib.sha256(archives[val.devkit["file"]]).hexdigest()}
    return SimpleNamespace(folder=folder, sources=[train, dataclasses.replace(val, devkit=kit)])


def test_imagenet_is_unpacked_from_its_tars(imagenet_archives, tmp_path):
    section, root = {"root": "x", "source": str(imagenet_archives.folder)}, tmp_path / "imagenet"
    fetch("imagenet", section, root, imagenet_archives.sources)
    assert sorted(below(root)) == [
        "fetched.json",
        *(f"train/{wnid}/{wnid}_{n}.JPEG" for wnid in ("n01", "n02") for n in range(3)),
        *("val/n01/ILSVRC2012_val_00000002.JPEG", "val/n02/ILSVRC2012_val_00000001.JPEG"),
    ]
    assert len(list(imagenet_archives.folder.iterdir())) == 3


@pytest.mark.parametrize("lacks", ["ILSVRC2012_img_val.tar", "ILSVRC2012_devkit_t12.tar.gz"])
def test_all_archives_must_be_there_before_the_first_is_unpacked(lacks, imagenet_archives, tmp_path):
    (imagenet_archives.folder / lacks).unlink()
    section = {"root": "x", "source": str(imagenet_archives.folder)}
    with pytest.raises(UserError, match=rf"archives/{lacks}: the archive is missing; data.imagenet.source must hold "):
        fetch("imagenet", section, tmp_path / "i", imagenet_archives.sources)
    assert not (tmp_path / "i").exists()


def test_a_wrong_devkit_is_refused(imagenet_archives, tmp_path):
    (imagenet_archives.folder / "ILSVRC2012_devkit_t12.tar.gz").write_bytes(b"another")
    with pytest.raises(UserError, match=r"ILSVRC2012_devkit_t12.tar.gz: not the official file"):
        fetch(
            "imagenet",
            {"root": "x", "source": str(imagenet_archives.folder)},
            tmp_path / "i",
            imagenet_archives.sources,
        )
    assert not (tmp_path / "i/val").exists()


def test_imagenet_is_not_downloaded_and_the_message_says_what_to_do(tmp_path):
    with pytest.raises(UserError) as caught:
        fetch("imagenet", {"root": "x"}, tmp_path / "imagenet")
    archives = "ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz"
    register = f"{archives}; they are given to registered users only: https://image-net.org/download"
    where = "data.imagenet.source: missing: name the folder here, beside `root`, that holds"
    assert str(caught.value) == f"{where} {register}"
    with pytest.raises(UserError) as caught:
        fetch("imagenet", {"root": "x", "source": "archives"}, tmp_path / "imagenet")
    where = "archives/ILSVRC2012_img_train.tar: the archive is missing; data.imagenet.source must hold"
    assert str(caught.value) == f"{where} {register}"
