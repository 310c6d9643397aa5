"""The VOC check lets good sets pass and names what is wrong with bad ones."""

import json
import re
import shutil
import subprocess
import sys

import pytest
from PIL import Image

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import voc as door

XML = "VOC2007/Annotations/000001.xml"
JPEG = "VOC2007/JPEGImages/000001.jpg"
TRAINVAL = "VOC2007/ImageSets/Main/trainval.txt"
TEST = "VOC2007/ImageSets/Main/test.txt"


@pytest.fixture
def root(voc, tmp_path):
    return shutil.copytree(voc.root, tmp_path / "VOCdevkit")


def edit(path: str, pattern: str, replacement: str):
    """Replace the first match in a file of the set."""

    def damage(root):
        text, count = re.subn(pattern, replacement, (root / path).read_text(), count=1, flags=re.DOTALL)
        assert count == 1
        (root / path).write_text(text)

    return damage


def append(path: str, text: str):
    def damage(root):
        with (root / path).open("a") as file:
            file.write(text)

    return damage


def move(path: str, name: str):
    return lambda root: (root / path).rename((root / path).with_name(name))


def resize(root):
    with Image.open(root / JPEG) as image:
        image.resize((50, 40)).save(root / JPEG)


def swallow(root):
    for path in (root / "VOC2012/Annotations").iterdir():
        path.write_text(re.sub(r"<object>.*</object>", "", path.read_text(), flags=re.DOTALL))


def box(*edges: str):
    values = "".join(
        f"<{tag}>{edge}</{tag}>" for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    )
    return edit(XML, r"<bndbox>.*?</bndbox>", f"<bndbox>{values}</bndbox>")


BROKEN = {
    "no root": (shutil.rmtree, r"VOCdevkit: the VOCdevkit folder is missing"),
    "no VOC2012": (lambda root: shutil.rmtree(root / "VOC2012"), r"VOC2012: the folder VOC2012 is missing"),
    "no split file": (lambda root: (root / TEST).unlink(), r"test.txt: the image list is missing"),
    "empty split": (lambda root: (root / TEST).write_text(""), r"test.txt: the split is empty"),
    "absent image": (
        append(TRAINVAL, "000099\n"),
        r"trainval.txt:9: the image .*JPEGImages/000099.jpg \(or of another suffix\) is missing",
    ),
    "an image that is a folder": (
        lambda root: [(root / JPEG).unlink(), (root / JPEG).mkdir()],
        r"trainval.txt:1: the image .*JPEGImages/000001.jpg \(or of another suffix\) is missing",
    ),
    "an image that leads nowhere": (
        lambda root: [(root / JPEG).unlink(), (root / JPEG).symlink_to("gone.jpg")],
        r"trainval.txt:1: the image .*JPEGImages/000001.jpg \(or of another suffix\) is missing",
    ),
    "absent annotation": (lambda root: (root / XML).unlink(), r"trainval.txt:1: .*000001.xml is missing"),
    "two names in a line": (edit(TRAINVAL, "000003\n", "000003 "), r"trainval.txt:2: a line must be one image name"),
    "an image of two suffixes": (
        lambda root: [
            move(JPEG, "a.png")(root),
            move("VOC2007/JPEGImages/000003.jpg", "a.BMP")(root),
            move(XML, "a.xml")(root),
            edit(TRAINVAL, "000001\n000003", "a")(root),
        ],
        r"trainval.txt:1: a may be any of a.BMP, a.png$",
    ),
    "listed twice": (append(TRAINVAL, "000001\n"), r"trainval.txt:9: 000001 is listed twice"),
    "train in test": (append(TEST, "000003\n"), r"test.txt:7: 000003 is also in trainval.txt, for training"),
    "train in test, renamed": (
        lambda root: shutil.copy(root / JPEG, root / "VOC2007/JPEGImages/000002.jpg"),
        r"000002.jpg: the same image is used for training, as .*000001.jpg",
    ),
    "broken XML": (edit(XML, "</annotation>", ""), r"000001.xml:\d+: the XML cannot be parsed: no element found"),
    "no annotation": (
        lambda root: (root / XML).write_text("<html/>"),
        r"000001.xml: not an annotation of VOC: its root is <html>",
    ),
    "no width": (edit(XML, r"<width>\d+</width>", ""), r"000001.xml: <size> has no valid <width>"),
    "width of letters": (edit(XML, r"<width>\d+", "<width>wide"), r"<size> has no valid <width>: 'wide'"),
    "wrong size": (resize, r"000001.xml: <size> says \d+x\d+ px, the image has 50x40 px"),
    "no name": (edit(XML, r"<name>\w+</name>", ""), r"000001.xml: object 1 has no <name>"),
    "unknown class": (
        edit(XML, r"<name>\w+", "<name>zebra"),
        r"object 1 \(zebra\): the class is not in the class list circle, square, triangle, star",
    ),
    "no box": (edit(XML, r"<bndbox>.*?</bndbox>", ""), r"object 1 \(\w+\) has no <bndbox>"),
    "box without area": (box("5", "5", "5", "9"), r"object 1 \(\w+\): the box \(5, 5, 5, 9\) has no area"),
    "box outside": (box("5", "5", "500", "9"), r"object 1 \(\w+\): the box .* is outside the image of \d+x\d+ px"),
    "difficult of letters": (edit(XML, r"<difficult>\d", "<difficult>no"), r"has no valid <difficult>: 'no'"),
    "no objects": (swallow, r"VOC2012/ImageSets/Main/trainval.txt: no image of the split has an object"),
    "empty image": (lambda root: (root / JPEG).write_bytes(b""), r"000001.jpg: the image is empty \(0 bytes\)"),
    "truncated image": (
        lambda root: (root / JPEG).write_bytes((root / JPEG).read_bytes()[:-400]),
        r"000001.jpg: the image cannot be decoded: image file is truncated",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_every_fault_is_named(fault, root, voc):
    damage, message = BROKEN[fault]
    damage(root)
    with pytest.raises(UserError, match=message):
        door.check(voc.section, root)


HARMLESS = {
    "float box": box("5.70", "6.2", "20.5", "30.1"),
    "box to the edge": box("1", "1", "72", "72"),
    "0-based box": box("0", "0", "20", "30"),
    "no difficult": edit(XML, r"<difficult>\d</difficult>", ""),
    "part of an object": edit(
        XML, "</object>", "<part><name>head</name><bndbox><xmin>1</xmin></bndbox></part></object>"
    ),
    "Windows line ends": lambda root: (root / TEST).write_bytes((root / TEST).read_bytes().replace(b"\n", b"\r\n")),
    "an unlisted broken image": lambda root: (root / "VOC2012/JPEGImages/x.jpg").write_bytes(b""),
}


@pytest.mark.parametrize("oddity", HARMLESS)
def test_oddities_of_the_real_set_are_fine(oddity, root, voc):
    HARMLESS[oddity](root)
    assert door.check(voc.section, root).counts == {"trainval07": 8, "trainval12": 8, "test07": 6}


def test_what_a_check_holds(voc):
    check = DatasetInfo.read(voc.check)
    assert check.set == "voc"
    assert check.classes == ["circle", "square", "triangle", "star"]
    assert check.counts == {"trainval07": 8, "trainval12": 8, "test07": 6}


@pytest.mark.parametrize("path", [XML, JPEG, TEST])
def test_the_fingerprint_sees_every_file_and_not_the_root(path, voc, root):
    before = DatasetInfo.read(voc.check).fingerprint
    assert door.check(voc.section, root).fingerprint == before
    if path == TEST:
        (root / path).write_text((root / path).read_text().replace("000002\n", ""))
    else:
        (root / path).write_bytes((root / path).read_bytes() + b"\n")
    assert door.check(voc.section, root).fingerprint != before


def test_the_class_list_comes_from_the_config(voc):
    assert door.classes({"root": "x", "classes": "voc"})[:2] == ["aeroplane", "bicycle"]
    assert len(door.classes({"root": "x", "classes": "voc"})) == 20
    mine = ["star", "triangle", "square", "circle"]
    assert door.check({"root": "x", "classes": mine}, voc.root).classes == mine
    with pytest.raises(UserError, match=r"data\.voc\.classes: must list each class once"):
        door.classes({"root": "x", "classes": ["star", "star"]})


def test_many_faults_are_all_listed(root, voc):
    (root / XML).write_text("")
    append(TRAINVAL, "000099\n")(root)
    with pytest.raises(UserError, match=r"2 faults in the data:\n  .*trainval.txt:9.*\n  .*000001.xml:1: the XML"):
        door.check(voc.section, root)


def test_the_command_line(root, voc, tmp_path):
    command = [
        sys.executable,
        "-m",
        "workflow.data.voc",
        "--dataset-config",
        json.dumps(voc.section),
        "--root",
        str(root),
    ]
    good = subprocess.run([*command, "--out", str(tmp_path / "good.json")], capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert DatasetInfo.read(tmp_path / "good.json").fingerprint == DatasetInfo.read(voc.check).fingerprint
    BROKEN["no annotation"][0](root)
    bad = subprocess.run([*command, "--out", str(tmp_path / "bad.json")], capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stderr == f"error: {root / XML}: not an annotation of VOC: its root is <html>, and it has no <size>\n"
    assert not (tmp_path / "bad.json").exists()
