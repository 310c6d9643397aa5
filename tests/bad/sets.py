"""Data sets that are refused by their checks (`python -m workflow.data.<set>`), before anything is trained."""

import os
import shutil
from pathlib import Path

from PIL import Image

from tests.bad.cases import Case, append, circle, cut, edit, read_only, several, write
from tests.bad.images import image, pipe

FETCH = "`snakemake data --cores 2 --configfile CONFIG` fetches the official one"
TRAIN, VAL = "train/n00000001/n00000001_0.JPEG", "val/n00000001/ILSVRC2012_val_00000001.JPEG"
LONG = "one side is more than 200 times the other"


def empty(path: str):
    """A folder with nothing in it."""
    return lambda root: [shutil.rmtree(entry) for entry in (root / path).iterdir()]


def flat(root: Path) -> None:
    """All images of val in one folder, as its archive has them."""
    for path in sorted((root / "val").rglob("*.JPEG")):
        path.rename(root / "val" / path.name)
    for folder in [entry for entry in (root / "val").iterdir() if entry.is_dir()]:
        folder.rmdir()


def no_utf8(root: Path) -> None:
    """A class folder with a name in Latin-1."""
    for split in ("train", "val"):
        (root / split / "n00000003").rename(os.fsdecode(os.fsencode(root / split) + b"/na\xefve"))


IMAGENET = [
    Case("no such root", f"data/imagenet: the ImageNet folder is missing; {FETCH}", shutil.rmtree),
    Case("a file for a root", f"data/imagenet: the ImageNet folder is missing; {FETCH}",
         lambda root: (shutil.rmtree(root), root.write_text(""))),
    Case("a root that is a link to itself", f"data/imagenet: the ImageNet folder is missing; {FETCH}",
         lambda root: (shutil.rmtree(root), root.symlink_to(root.name))),
    Case("no val", f"data/imagenet/val: ImageNet's folder val is missing; {FETCH}",
         lambda root: shutil.rmtree(root / "val")),
    Case("an empty split", "data/imagenet/train: there are no class folders; it is empty", empty("train")),
    Case("val as its archive has it, without class folders",
         "data/imagenet/val: there are no class folders; it holds 12 images that are not sorted into them", flat),
    Case("a class without an image", "data/imagenet/train/n00000002: the class folder holds no image",
         lambda root: [path.unlink() for path in (root / "train/n00000002").iterdir()]),
    Case("a class that val lacks", "data/imagenet/val/n00000003: the class folder is missing, train has it",
         lambda root: shutil.rmtree(root / "val/n00000003")),
    Case("a class that train lacks", "data/imagenet/val/n00000009: train has no such class folder",
         lambda root: shutil.copytree(root / "val/n00000003", root / "val/n00000009")),
    Case("a class folder that is a link to itself",
         "data/imagenet/train/n9: a link that leads nowhere, or in a circle", circle("train/n9")),
    Case("a class folder whose name is no UTF-8",
         r"2 faults in the data: data/imagenet/train: the name of the class folder 'na\udcefve' holds what is no …",
         no_utf8),
    Case("an empty image", f"data/imagenet/{VAL}: the image is empty (0 bytes)", write(VAL)),
    Case("a truncated image", f"data/imagenet/{TRAIN}: the image cannot be decoded: image file is truncated …",
         cut(TRAIN, 300)),
    Case("a web page in place of an image",
         f"data/imagenet/{TRAIN}: the image cannot be decoded: no known image format",
         write(TRAIN, "<html>404</html>")),
    Case("an image that is a link to itself", f"data/imagenet/{TRAIN}: the image cannot be decoded: … symbolic links…",
         circle(TRAIN)),
    Case("a pipe in place of an image", f"data/imagenet/{TRAIN}: the image is no file", pipe(TRAIN)),
    Case("an image of 20,000 × 20,000 px (a bomb)",
         f"data/imagenet/{TRAIN}: the image cannot be decoded: Image size (400000000 pixels) exceeds limit of …",
         image(TRAIN, (20_000, 20_000), "PNG", "1")),
    Case("an image of 20,000 × 1 px", f"data/imagenet/{TRAIN}: the image has 20000x1 px: {LONG}",
         image(TRAIN, (20_000, 1))),
    Case("a single class", "data/imagenet/train: there must be two class folders at least, found 1",
         lambda root: [shutil.rmtree(root / "train" / f"n0000000{n}") for n in (2, 3, 4)]),
    Case("a file where the result is to lie", "results/data: Not a directory",
         lambda root: (root.parents[1] / "results").write_text("")),
    Case("the same image in both splits", f"data/imagenet/{VAL}: the same image is used for training, as "
         f"data/imagenet/{TRAIN}", lambda root: shutil.copy(root / TRAIN, root / VAL)),
    Case("a result on a read-only disk", "results/data/x…: Read-only file system",
         read_only("../../results/data")),
]  # fmt: skip

XML, JPEG = "VOC2007/Annotations/000001.xml", "VOC2007/JPEGImages/000001.jpg"
TEST_XML = "VOC2007/Annotations/000002.xml"
TRAINVAL, TEST = "VOC2007/ImageSets/Main/trainval.txt", "VOC2007/ImageSets/Main/test.txt"
AT = f"data/voc/{XML}"
BOMB = """<!DOCTYPE a [<!ENTITY a0 "aaaaaaaaaa">{}]><annotation>&a9;</annotation>""".format(
    "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10))
)


def box(*edges: float):
    """The first object's box."""
    tags = zip(("xmin", "ymin", "xmax", "ymax"), edges, strict=True)
    values = "".join(f"<{tag}>{edge}</{tag}>" for tag, edge in tags)
    return edit(XML, r"<bndbox>.*?</bndbox>", f"<bndbox>{values}</bndbox>")


def renamed(*names: str):
    """Other names for the first images of the test split."""

    def damage(root: Path) -> None:
        for number, name in enumerate(names):
            old = f"{2 * number + 2:06d}"
            for kind in ("Annotations/{}.xml", "JPEGImages/{}.jpg"):
                (root / "VOC2007" / kind.format(old)).rename(root / "VOC2007" / kind.format(name))
            (root / TEST).write_text((root / TEST).read_text().replace(old, name))

    return damage


def flat_splits(train: str, test: str):
    """Images and XML side by side in two folders, as Roboflow exports: all training images of 2007, and the test."""

    def damage(root: Path) -> None:
        for name, listed in ((train, TRAINVAL), (test, TEST)):
            (root / name).mkdir()
            for stem in (root / listed).read_text().split():
                for file in (f"JPEGImages/{stem}.jpg", f"Annotations/{stem}.xml"):
                    path = root / "VOC2007" / file
                    path.rename(root / name / path.name)
        shutil.rmtree(root / "VOC2007")
        shutil.rmtree(root / "VOC2012")

    return damage


def all_in_one(root: Path) -> None:
    """All of them in the root, as of LabelImg."""
    for path in list(root.glob("*/*")):
        path.rename(root / path.name)
    for folder in ("train", "test"):
        (root / folder).rmdir()


def one_folder(train: str, test: str):
    """One folder with JPEGImages, Annotations and lists of these names, as CVAT exports."""

    def damage(root: Path) -> None:
        lists = [(root / listed).read_text() for listed in (TRAINVAL, TEST)]
        shutil.rmtree(root / "VOC2012")
        shutil.rmtree(root / "VOC2007/ImageSets")
        for entry in (root / "VOC2007").iterdir():
            entry.rename(root / entry.name)
        (root / "VOC2007").rmdir()
        for name, text in zip((train, test), lists, strict=True):
            write(f"ImageSets/Main/{name}", text)(root)

    return damage


def difficult(root: Path) -> None:
    """Nothing but difficult objects in the test split."""
    for name in (root / TEST).read_text().split():
        path = root / f"VOC2007/Annotations/{name}.xml"
        path.write_text(path.read_text().replace("<difficult>0", "<difficult>1"))


def as_file(path: str, suffix: str, keep: bool = False):
    """The same image with another suffix, and of its format; `keep`: the old one stays."""

    def damage(root: Path) -> None:
        old = root / path
        with Image.open(old) as photo:
            photo.save(old.with_suffix(suffix), lossless=True)
        if not keep:
            old.unlink()

    return damage


VOC = [
    Case("no VOC2012", f"data/voc/VOC2012: the folder VOC2012 is missing; {FETCH}",
         lambda root: shutil.rmtree(root / "VOC2012")),
    Case("images and XML in one folder, without a split",
         "data/voc: not in VOC's layout: it needs VOC2007 and VOC2012 (…); or JPEGImages, Annotations and ImageSets/"
         "Main with train.txt and test.txt; or the folders train and test (or valid), each with images and their XML …",
         several(flat_splits("train", "test"), all_in_one)),
    Case("one list only, as of a task in CVAT", "data/voc/ImageSets/Main: a list to train on (trainval.txt or "
         "train.txt) and one to test on (test.txt, valid.txt or val.txt) are needed; it has default.txt",
         one_folder("default.txt", "default.txt")),
    Case("folders to train and to test on, with an image without XML",
         "data/voc/train: data/voc/train/000001.xml is missing",
         several(flat_splits("train", "test"), lambda root: (root / "train/000001.xml").unlink())),
    Case("folders to train and to test on, with XML without an image",
         "data/voc/test: the image data/voc/test/000002.jpg (or of another suffix) is missing",
         several(flat_splits("train", "test"), lambda root: (root / "test/000002.jpg").unlink())),
    Case("an image in two lists of one folder",
         "data/voc/ImageSets/Main/test.txt:7: 000001 is also in train.txt, for training",
         several(one_folder("train.txt", "test.txt"), append("ImageSets/Main/test.txt", "000001\n"))),
    Case("no image list", f"data/voc/{TEST}: the image list is missing", lambda root: (root / TEST).unlink()),
    Case("an empty split", f"data/voc/{TEST}: the split is empty", write(TEST)),
    Case("an image list in Latin-1", f"data/voc/{TEST}: not UTF-8 text: byte 2: …", write(TEST, b"na\xefve\n")),
    Case("a list of blank lines", f"data/voc/{TEST}: the split is empty", write(TEST, "\n \r\n\t\n")),
    Case("a list of images with their XML, as of segmentation",
         f"data/voc/{TRAINVAL}:2: a line must be one image name, not '000003.jpg 000003.xml'",
         edit(TRAINVAL, "000003", "000003.jpg 000003.xml")),
    Case("two images of a name, neither a .jpg", f"data/voc/{TRAINVAL}:1: 000001 may be any of 000001.PNG, 000001.bmp",
         several(as_file(JPEG, ".PNG", keep=True), as_file(JPEG, ".bmp"))),
    Case("a name that leads out of the folder",
         f"data/voc/{TRAINVAL}:9: a line must be one image name, not '../../000001'",
         append(TRAINVAL, "../../000001\n")),
    Case("a name of 300 letters", "data/voc/VOC2007/ImageSets/Main/trainval.txt:9: the image … is missing",
         append(TRAINVAL, f"{'x' * 300}\n")),
    Case("an image listed twice", f"data/voc/{TRAINVAL}:9: 000001 is listed twice", append(TRAINVAL, "000001\n")),
    Case("an image in both splits", f"data/voc/{TEST}:7: 000003 is also in trainval.txt, for training",
         append(TEST, "000003\n")),
    Case("an absent image", f"data/voc/{TRAINVAL}:9: the image data/voc/VOC2007/JPEGImages/000099.jpg (or of "
         "another suffix) is missing",
         append(TRAINVAL, "000099\n")),
    Case("an absent annotation", f"data/voc/{TRAINVAL}:1: {AT} is missing", lambda root: (root / XML).unlink()),
    Case("an image list of bytes", f"data/voc/{TEST}:1: a line must be one image name, not '\\x00\\x00…",
         write(TEST, b"\0" * 10_000 + b"1")),
    Case("a folder for an image list", f"data/voc/{TEST}: the image list is missing",
         lambda root: ((root / TEST).unlink(), (root / TEST).mkdir())),
    Case("an empty XML", f"{AT}:1: the XML cannot be parsed: no element found: line 1, column 0", write(XML)),
    Case("bytes for XML", f"{AT}:1: the XML cannot be parsed: not well-formed (invalid token): …", write(XML, b"\0\1")),
    Case("XML nested 100,000 deep", f"{AT}: not an annotation of VOC: its root is <a>, and it has no <size>",
         write(XML, "<a>" * 100_000 + "</a>" * 100_000)),
    Case("XML that asks for another file", f"{AT}:1: the XML cannot be parsed: undefined entity &x;: …",
         write(XML, '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><annotation>&x;</annotation>')),
    Case("an attribute twice", f"{AT}:1: the XML cannot be parsed: duplicate attribute: …",
         write(XML, '<annotation a="1" a="2"/>')),
    Case("two sizes", f"{AT}: has 2 <size>", edit(XML, "</size>", "</size><size/>")),
    Case("a width of 5,000 digits", f"{AT}: <size> has no valid <width>: '999…",
         edit(XML, r"<width>\d+", f"<width>{'9' * 5000}")),
    Case("difficulty in words", f"{AT}: object 1 (…) has no valid <difficult>: 'very'",
         edit(XML, r"<difficult>\d", "<difficult>very")),
    Case("an object without a name", f"{AT}: object 1 has no <name>", edit(XML, r"<name>\w+</name>", "")),
    Case("an object without a box", f"{AT}: object 1 (…) has no <bndbox>", edit(XML, "<bndbox>.*?</bndbox>", "")),
    Case("a class name of 10,000 letters", f"{AT}: object 1 ({'z' * 60}): the class is not in the class list …",
         edit(XML, r"<name>\w+", f"<name>{'z' * 10_000}")),
    Case("XML that breaks off", f"{AT}:…: the XML cannot be parsed: …", cut(XML, 20)),
    Case("XML in an unknown encoding", f"{AT}:1: the XML cannot be parsed: …",
         write(XML, '<?xml version="1.0" encoding="klingon"?><annotation/>')),
    Case("XML in an encoding of several bytes",
         f"{AT}:1: the XML cannot be parsed: multi-byte encodings are not supported",
         write(XML, '<?xml version="1.0" encoding="gb2312"?><annotation/>')),
    Case("XML with entities of entities (a bomb)",
         f"{AT}:1: the XML cannot be parsed: limit on input amplification factor …", write(XML, BOMB)),
    Case("an object that no reader finds",
         f"{AT}: an <object> stands where no reader finds it: not directly in the root, or misspelt",
         several(edit(XML, "<object>", "<Object>"), edit(XML, "</object>", "</Object>"))),
    Case("a width in words", f"{AT}: <size> has no valid <width>: 'wide'", edit(XML, r"<width>\d+", "<width>wide")),
    Case("another size than the image's", f"{AT}: <size> says …x… px, the image has 50x40 px", image(JPEG, (50, 40))),
    Case("an object of an unknown class",
         f"{AT}: object 1 (zebra): the class is not in the class list circle, square, triangle, star",
         edit(XML, r"<name>\w+", "<name>zebra")),
    Case("a rotated box alone", f"{AT}: object 1 (…) has no <bndbox>", edit(XML, "(</?)bndbox", r"\1robndbox", 2)),
    Case("half a pixel of width", f"{AT}: <size> has no valid <width>: '96.5'",
         edit(XML, r"<width>\d+", "<width>96.5")),
    Case("two boxes in one object", f"{AT}: object 1 has 2 <bndbox>", edit(XML, "</bndbox>", "</bndbox><bndbox/>")),
    Case("a box without area", f"{AT}: object 1 (…): the box (5, 5, 5, 9) has no area", box(5, 5, 5, 9)),
    Case("a box without area in whole pixels", f"{AT}: object 1 (…): the box (5, 5, 5, 9) has no area",
         box(5.2, 5, 5.9, 9)),
    Case("a box that is no number", f"{AT}: object 1 (…): the box (nan, 5, 9, 9) has no area",
         box(float("nan"), 5, 9, 9)),
    Case("a box beyond all numbers", f"{AT}: object 1 (…): the box (5, 5, inf, 9) is outside the image of …x… px",
         box(5, 5, float("inf"), 9)),
    Case("a box outside the image", f"{AT}: object 1 (…): the box (5, 5, 500, 9) is outside the image of …x… px",
         box(5, 5, 500, 9)),
    Case("a box on the pixel before the first",
         f"{AT}: object 1 (…): the box (0, 5, 1, 9) is outside the image of …x… px", box(0, 5, 1, 9)),
    Case("a test split of difficult objects alone",
         f"data/voc/{TEST}: no image of the split has an object but difficult ones", difficult),
    Case("a result on a read-only disk", "results/data/x…: Read-only file system",
         read_only("../../results/data")),
]  # fmt: skip
