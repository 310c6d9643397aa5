"""What is unpacked stays in its folder; ImageNet's tars become class folders."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
import scipy.io

from tests.workflow.data.conftest import below, tar_of, zip_of
from workflow.core.errors import UserError
from workflow.data.fetch import unpack as door

FILES = {"top/a.txt": b"a", "top/sub/b.txt": b"b", "else/c.txt": b"c"}


def special(kind: bytes, name: str = "top/x") -> bytes:
    """A tar with one member that is no file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, "/etc/passwd"
        archive.addfile(info)
    return buffer.getvalue()


def linked_zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("top/link")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


def through_a_link() -> bytes:
    """A link that leads outside, then a file below it."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        link = tarfile.TarInfo("top/way")
        link.type, link.linkname = tarfile.SYMTYPE, "../../.."
        archive.addfile(link)
        archive.addfile(tarfile.TarInfo("top/way/evil"))
    return buffer.getvalue()


@pytest.mark.parametrize(("name", "pack"), [("x.tar", tar_of), ("x.zip", zip_of)])
def test_what_lies_inside_a_folder_is_unpacked(name, pack, tmp_path):
    (tmp_path / name).write_bytes(pack(FILES))
    door.unpack(tmp_path / name, tmp_path / "out", inside="top")
    assert below(tmp_path / "out") == {"a.txt": b"a", "sub/b.txt": b"b"}
    door.unpack(tmp_path / name, tmp_path / "few", only=["else/c.txt"])
    assert below(tmp_path / "few") == {"else/c.txt": b"c"}


def test_a_zip_is_as_large_as_what_is_in_it(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in "ab":
            archive.writestr(name, bytes(50_000))
    assert (tmp_path / "x.zip").stat().st_size < 1000
    assert door.size(tmp_path / "x.zip") == 100_000
    (tmp_path / "x.tar").write_bytes(tar_of(FILES))
    assert door.size(tmp_path / "x.tar") == len(tar_of(FILES))
    (tmp_path / "x.zip").write_bytes(b"<html>not found</html>")
    with pytest.raises(UserError, match=r"x.zip: the archive is damaged: "):
        door.size(tmp_path / "x.zip")


EVIL = {
    "x.tar": tar_of({"../evil": b""}),
    "y.tar": tar_of({"/tmp/evil": b""}),
    "z.tar": tar_of({"top/../../evil": b""}),
    "x.zip": zip_of({"../evil": b""}),
    "y.zip": zip_of({"/tmp/evil": b""}),
    "z.zip": zip_of({"..\\evil": b""}),
    "link.tar": special(tarfile.SYMTYPE),
    "hard.tar": special(tarfile.LNKTYPE),
    "device.tar": special(tarfile.CHRTYPE),
    "link.zip": linked_zip(),
    "pipe.tar": special(tarfile.FIFOTYPE),
    "through.tar": through_a_link(),
    "dots.tar": tar_of({"top/./.././../evil": b""}),
}


@pytest.mark.parametrize("name", EVIL)
def test_what_leads_outside_is_refused(name, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / name).write_bytes(EVIL[name])
    with pytest.raises(UserError, match=rf"{name}: refused: .*(leads out of the folder|is a link)"):
        door.unpack(folder / name, folder / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
    assert not (folder / "out").exists()


@pytest.mark.parametrize("name", ["x.tar", "x.zip", "x.tar.gz"])
def test_a_damaged_archive_is_named(name, tmp_path):
    whole = (zip_of if name == "x.zip" else tar_of)({"a": bytes(5000)})
    for data in (whole[:2000], b"<html>not found</html>"):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(UserError, match=rf"{name}: the archive is damaged: "):
            door.unpack(tmp_path / name, tmp_path / "out")


def devkit(classes: dict[int, str], labels: list[int]) -> bytes:
    """An ILSVRC2012_devkit_t12 with these leaf classes, and one synset above them."""
    kind = [("ILSVRC2012_ID", "O"), ("WNID", "O"), ("words", "O"), ("gloss", "O"), ("num_children", "O")]
    rows = [(number, wnid, "a thing", "a gloss", 0) for number, wnid in classes.items()]
    synsets = np.array([*rows, (99, "n00000099", "things", "a gloss", len(classes))], dtype=kind)
    meta = io.BytesIO()
    scipy.io.savemat(meta, {"synsets": synsets})
    folder = "ILSVRC2012_devkit_t12/data"
    text = "".join(f"{label}\n" for label in labels).encode()
    files = {f"{folder}/meta.mat": meta.getvalue(), f"{folder}/ILSVRC2012_validation_ground_truth.txt": text}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return buffer.getvalue()


def test_validation_images_are_sorted_by_the_labels_of_the_devkit(tmp_path):
    (tmp_path / "kit.tar.gz").write_bytes(devkit({1: "n02", 2: "n01"}, [2, 1, 1]))
    assert door.validation_classes(tmp_path / "kit.tar.gz") == ["n01", "n02", "n02"]
    names = [f"ILSVRC2012_val_{n:08d}.JPEG" for n in (1, 2, 3, 4)]
    (tmp_path / "val.tar").write_bytes(tar_of({name: name.encode() for name in names[:3]}))
    door.unpack_labelled(tmp_path / "val.tar", tmp_path, tmp_path / "kit.tar.gz")
    assert sorted(below(tmp_path / "val")) == [f"n01/{names[0]}", f"n02/{names[1]}", f"n02/{names[2]}"]
    (tmp_path / "val.tar").write_bytes(tar_of({names[3]: b""}))
    with pytest.raises(UserError, match=rf"val.tar: {names[3]}: the devkit has labels for 3 images"):
        door.unpack_labelled(tmp_path / "val.tar", tmp_path, tmp_path / "kit.tar.gz")


def test_a_devkit_without_labels_is_refused(tmp_path):
    (tmp_path / "kit.tar").write_bytes(tar_of({"data/readme.txt": b""}))
    with pytest.raises(UserError, match=r"kit.tar: it has no data/meta.mat"):
        door.validation_classes(tmp_path / "kit.tar")


@pytest.mark.parametrize("inner", [tar_of({"../evil": b""}), tar_of({"/tmp/evil": b""}), special(tarfile.SYMTYPE)])
@pytest.mark.parametrize("name", ["n01.tar", "...tar", "x/../../n01.tar"])
def test_tars_within_a_tar_cannot_leave_their_folder_either(name, inner, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "train.tar").write_bytes(tar_of({name: inner}))
    with pytest.raises(UserError, match=r"train.tar: refused: "):
        door.unpack_classes(folder / "train.tar", folder / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_a_devkit_cannot_name_a_folder_outside(tmp_path):
    (tmp_path / "kit.tar.gz").write_bytes(devkit({1: "../../evil"}, [1]))
    with pytest.raises(UserError, match=r"kit.tar.gz: refused: ../../evil/x leads out of the folder"):
        door.validation_classes(tmp_path / "kit.tar.gz")


def test_training_tars_become_folders_and_those_that_are_there_are_skipped(tmp_path):
    inner = {f"{wnid}.tar": tar_of({f"{wnid}_{n}.JPEG": bytes([n]) for n in range(3)}) for wnid in ("n01", "n02")}
    (tmp_path / "train.tar").write_bytes(tar_of(inner))
    (tmp_path / "train/n01").mkdir(parents=True)
    (tmp_path / "n02.part").mkdir()
    (tmp_path / "n02.part/left over.JPEG").touch()
    door.unpack_classes(tmp_path / "train.tar", tmp_path)
    assert below(tmp_path / "train") == {f"n02/n02_{n}.JPEG": bytes([n]) for n in range(3)}
