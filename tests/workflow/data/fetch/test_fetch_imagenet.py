"""ImageNet from the tars of its publisher, which nothing downloads."""

import dataclasses
import gzip
import hashlib
from types import SimpleNamespace

import pytest

from tests.workflow.data.conftest import below, small, tar_of
from tests.workflow.data.fetch.test_unpack import devkit
from workflow.core.errors import UserError
from workflow.data.fetch import fetch as fetching
from workflow.data.fetch.fetch import fetch, is_incomplete


def test_what_was_unpacked_before_is_room_that_is_not_needed(imagenet_archives, tmp_path, monkeypatch):
    root, asked = tmp_path / "i", []
    monkeypatch.setattr(fetching, "need_room", lambda folder, size, what: asked.append(size))
    for archive, done in (("train", "train/n01/n01_0.JPEG"), ("val", "val/n01/of_old.JPEG")):
        left = root / f".fetch/ILSVRC2012_img_{archive}.tar.unpacking" / done
        left.parent.mkdir(parents=True)
        left.write_bytes(b"1234567")
    sources = [
        dataclasses.replace(s, gives={f"{part}/*": 2})
        for s, part in zip(imagenet_archives.sources[:2], ("train", "val"), strict=True)
    ]
    fetch("imagenet", {"root": "x", "source": str(imagenet_archives.folder)}, root, sources)
    train, val = (path.stat().st_size for path in sorted(imagenet_archives.folder.glob("*.tar")))
    assert asked == [train - 7, val], "training classes are kept, the rest is unpacked anew"
    assert (root / "train/n01/n01_0.JPEG").read_bytes() == b"1234567"
    assert not (root / "val/n01/of_old.JPEG").exists()


@pytest.fixture
def imagenet_archives(tmp_path):
    """A folder with ImageNet's four archives: two classes, three and two images, the boxes of two."""
    classes = {f"{wnid}.tar": tar_of({f"{wnid}_{n}.JPEG": b"x" for n in range(3)}) for wnid in ("n01", "n02")}
    archives = {
        "ILSVRC2012_img_train.tar": tar_of(classes),
        "ILSVRC2012_img_val.tar": tar_of({f"ILSVRC2012_val_{n:08d}.JPEG": b"x" for n in (1, 2)}),
        "ILSVRC2012_devkit_t12.tar.gz": devkit({1: "n02", 2: "n01"}, [1, 2]),
        "ILSVRC2012_bbox_val_v3.tgz": gzip.compress(
            tar_of({f"val/ILSVRC2012_val_{n:08d}.xml": b"<annotation/>" for n in (1, 2)})
        ),
    }
    folder = tmp_path / "archives"
    folder.mkdir()
    for name, data in archives.items():
        (folder / name).write_bytes(data)
    given = [{"train/*": 2, "train/*/*.JPEG": 6}, {"val/*": 2, "val/*/*.JPEG": 2}, {"val_boxes/*.xml": 2}]
    train, val, boxes = small("imagenet", archives, given)
    kit = {"file": val.devkit["file"], "sha256": hashlib.sha256(archives[val.devkit["file"]]).hexdigest()}
    return SimpleNamespace(folder=folder, sources=[train, dataclasses.replace(val, devkit=kit), boxes])


def test_imagenet_is_unpacked_from_its_tars(imagenet_archives, tmp_path):
    section, root = {"root": "x", "source": str(imagenet_archives.folder)}, tmp_path / "imagenet"
    fetch("imagenet", section, root, imagenet_archives.sources)
    assert sorted(below(root)) == [
        "fetched.json",
        *(f"train/{wnid}/{wnid}_{n}.JPEG" for wnid in ("n01", "n02") for n in range(3)),
        *("val/n01/ILSVRC2012_val_00000002.JPEG", "val/n02/ILSVRC2012_val_00000001.JPEG"),
    ]
    assert len(list(imagenet_archives.folder.iterdir())) == 4


def test_boxes_are_fetched_for_a_set_that_names_them(imagenet_archives, tmp_path):
    """To the images that are there: a set of the same root with boxes fetches these only."""
    section, root = {"root": "x", "source": str(imagenet_archives.folder)}, tmp_path / "imagenet"
    fetch("imagenet", section, root, imagenet_archives.sources)
    assert not is_incomplete("imagenet", section, root)
    boxes = {"layout": "imagenet", **section, "val_boxes": "val_boxes"}
    assert is_incomplete("boxes", boxes, root)
    record = fetch("boxes", boxes, root, imagenet_archives.sources)
    assert list(record["archives"])[2] == "ILSVRC2012_bbox_val_v3.tgz"
    names = [f"ILSVRC2012_val_0000000{n}.xml" for n in (1, 2)]
    assert sorted(path.name for path in (root / "val_boxes").iterdir()) == names
    elsewhere = boxes | {"val_boxes": "my/boxes"}
    assert not is_incomplete("boxes", elsewhere, root), "a folder of one's own is not fetched"


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
