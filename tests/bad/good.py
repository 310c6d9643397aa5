"""Odd inputs that are fine: what looks as bad as the others and is read all the same."""

import hashlib
import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import yaml
from PIL import Image

from tests.bad.cases import Case, Damage, edit, edit_json, read_only, several, write
from tests.bad.coco import CAPTIONS, OBJECTS, TEST_CAPTIONS, TEST_OBJECTS, caption, first
from tests.bad.configs import DEMO, FILE, value
from tests.bad.images import image
from tests.bad.sets import JPEG, TEST, TEST_XML, TRAIN, TRAINVAL, VAL, XML

from tests.bad.sets import as_file, box, flat_splits, one_folder, renamed  # isort: skip

ODD = "größe 漢; touch x $(id) 'q' {b} -z"
PHOTO = "COCO_train2014_000000000009.jpg"
CONFIG = f"{FILE}: config is valid"
IMAGENET, VOC = "data/imagenet: fine; train 40, val 12", "data/voc: fine; trainval07 8, trainval12 8, test07 6"
ONE_PART = "data/voc: fine; trainval07 8, trainval12 0, test07 6"
COCO = "data/coco: fine; train_images 12, train_captions 60, test_images 6, test_captions 30"


def written(change) -> Damage:
    """The demo's config, its text changed."""
    return lambda root: (root / FILE).write_bytes(change(yaml.safe_dump(DEMO)))


def moved(path: str, name: str) -> Damage:
    """Another name for a file or folder."""
    return lambda root: (root / path).rename((root / path).with_name(name))


def odd_class(root: Path) -> None:
    """A class with a hard name."""
    for split in ("train", "val"):
        moved(f"{split}/n00000003", ODD)(root)


def linked(path: str) -> Damage:
    """The same file or folder, by a link."""

    def damage(root: Path) -> None:
        away = root.with_name("elsewhere")
        (root / path).rename(away)
        (root / path).symlink_to(os.path.relpath(away, (root / path).parent))

    return damage


def coded(encoding: str) -> Damage:
    """An annotation in another encoding, which it names."""

    def damage(root: Path) -> None:
        text = (root / TEST_XML).read_text().replace("<segmented>", "<owner>größe</owner><segmented>")
        (root / TEST_XML).write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>\n{text}'.encode(encoding))

    return damage


def named(name: str) -> Damage:
    """Another name for the first training image of COCO."""
    change = [first(path, "images", file_name=name) for path in (CAPTIONS, OBJECTS)]

    def move(root: Path) -> None:
        (root / "train2014" / name).parent.mkdir(exist_ok=True)
        (root / "train2014" / PHOTO).rename(root / "train2014" / name)
        split = root / "annotations/dataset_coco.json"
        split.write_text(split.read_text().replace(PHOTO, name))

    return several(*change, move)


def of_each(path: str, kind: str, change: Callable[[dict], object]) -> Damage:
    """Each entry of a list changed."""
    return edit_json(path, lambda content: [change(one) for one in content[kind]])


def counted(root: Path) -> None:
    """Images of either split from 0, as exported split by split."""
    for path in (CAPTIONS, OBJECTS, TEST_CAPTIONS, TEST_OBJECTS):
        content = json.loads((root / path).read_text())
        new = {image["id"]: number for number, image in enumerate(content["images"])}
        of_each(path, "images", lambda one, new=new: one.update(id=new[one["id"]]))(root)
        of_each(path, "annotations", lambda one, new=new: one.update(image_id=new[one["image_id"]]))(root)


def no_star(root: Path) -> None:
    """Every star of the test split is difficult."""
    for name in (root / TEST).read_text().split():
        path = root / f"VOC2007/Annotations/{name}.xml"
        hard = re.sub(r"(<name>star</name>.*?<difficult>)0", r"\g<1>1", path.read_text(), flags=re.DOTALL)
        path.write_text(hard)


def grey(path: Path) -> None:
    """The same image without colours."""
    with Image.open(path) as photo:
        photo.convert("L").save(path)


def all_renamed(new: Callable[[str], str]) -> Damage:
    """Other names for all images of VOC."""

    def damage(root: Path) -> None:
        for listed in [*root.glob("VOC*/ImageSets/Main/trainval.txt"), root / TEST]:
            names = listed.read_text().split()
            for name in names:
                for kind in ("Annotations/{}.xml", "JPEGImages/{}.jpg"):
                    old, other = (listed.parents[2] / kind.format(each) for each in (name, new(name)))
                    other.parent.mkdir(exist_ok=True)
                    old.rename(other)
            listed.write_text("".join(f"{new(name)}\n" for name in names))

    return damage


in_folder = all_renamed(lambda name: f"deeper/{name}")


def beyond(root: Path) -> None:
    """To the last pixel and the one behind it."""
    width, height = Image.open(root / JPEG).size
    box(2, 2, width + 1, height + 1)(root)


CONFIGS = [
    Case("Windows line ends", CONFIG, written(lambda text: text.replace("\n", "\r\n").encode())),
    Case("a byte-order mark", CONFIG, written(lambda text: b"\xef\xbb\xbf" + text.encode())),
    Case("JSON", CONFIG, lambda root: (root / FILE).write_text(json.dumps(DEMO))),
    Case("a root with blanks, quotes and letters of any script", CONFIG, value("data/imagenet", {"root": ODD})),
    Case("a root that begins with a dash", CONFIG, value("data/imagenet", {"root": "-x"})),
    Case("a class name in any script", CONFIG, value("data/voc", {"root": "x", "classes": ["größe 漢", "a b"]})),
    Case("a rate of 1e-4", CONFIG, written(lambda text: text.replace("lr: 0.01", "lr: 1e-4").encode())),
]

IMAGENETS = [
    Case("a class with a hard name", IMAGENET, odd_class),
    Case("an image with a hard name", IMAGENET, moved(TRAIN, f"{ODD}.JPEG")),
    Case("a name that begins with a dash", IMAGENET, moved(VAL, "-n.JPEG")),
    Case("an image of 1 px", IMAGENET, image(TRAIN, (1, 1))),
    Case("an image of 1 × 200 px", IMAGENET, image(VAL, (1, 200))),
    Case("a grey one, and one with a palette", IMAGENET,
         several(image(TRAIN, (9, 9), "JPEG", "L"), image(VAL, (9, 9), "PNG", "P"))),
    Case("an image by a link", IMAGENET, linked(TRAIN)),
    Case("a class by a link", IMAGENET, linked("train/n00000002")),
    Case("files that are no images (said, and left out)", IMAGENET,
         several(write("train/n00000001/Thumbs.db"), write("val/README"))),
    Case("a folder in a class that leads back to it", IMAGENET,
         lambda root: (root / "train/n00000001/loop").symlink_to("..")),
    Case("a whole set on a read-only disk", IMAGENET, read_only(".")),
]  # fmt: skip

VOCS = [
    Case("an image with blanks in its name", VOC, renamed("a b 1")),
    Case("an image with letters of any script", VOC, renamed("größe_漢_1")),
    Case("names of Roboflow, a hash behind `.rf.` (ids are places in the list)", VOC, all_renamed(
        lambda name: f"IMG_{name}_jpg.rf.{hashlib.md5(name.encode()).hexdigest()}")),
    Case("names without a digit, or with the same digits (ids are places in the list)", VOC,
         renamed("one", "a_1", "b_1")),
    Case("a name with a folder", VOC, in_folder),
    Case(".JPG, .jpeg, .PNG, .bmp, .webp and .tif in one folder", VOC, several(*(
        as_file(f"VOC2007/JPEGImages/00000{number}.jpg", suffix)
        for number, suffix in enumerate((".JPG", ".jpeg", ".PNG", ".bmp", ".webp", ".tif"), start=1)))),
    Case("a .png beside the .jpg of its name (the .jpg is read)", VOC, as_file(JPEG, ".png", keep=True)),
    Case("blank lines and blanks around names in a list", VOC,
         edit(TEST, "000002\n", "\n 000002\t \n\n  \n")),
    Case("a byte-order mark before a list", VOC,
         lambda root: (root / TEST).write_bytes(b"\xef\xbb\xbf" + (root / TEST).read_bytes())),
    Case("a list by class, with 1, 0 or -1 behind each name (all are listed)", VOC,
         several(edit(TEST, "000002", "000002 -1"), edit(TEST, "000004", "000004  1"),
                 edit(TEST, "000006", "000006  0"), edit(TRAINVAL, "000001", "000001 1"))),
    Case("a list of file names with suffix", VOC, edit(TEST, r"(\d{6})\n", r"\1.jpg\n", 6)),
    Case("XML without difficult, truncated and pose (not difficult)", VOC,
         edit(XML, r"<(difficult|truncated|pose)>.*?</\1>", "", 3)),
    Case("an empty `difficult`, or True and False", VOC, several(
        edit(XML, r"<difficult>\d</difficult>", "<difficult/>"), edit(TEST_XML, r"<difficult>\d", "<difficult>False"))),
    Case("XML without a size, or of 0 × 0 px (the image's is read)", VOC, several(
        edit(XML, "<size>.*?</size>", ""), edit(TEST_XML, r"(<width>|<height>)\d+", r"\g<1>0", 2))),
    Case("a size with fractions of 0, without depth", VOC, several(
        edit(XML, r"<width>(\d+)", r"<width>\1.0"), edit(XML, r"<depth>\d+</depth>", ""))),
    Case("a grey image's depth of 1 (not read)", VOC, edit(XML, r"<depth>\d+", "<depth>1")),
    Case("edges with fractions of a pixel (cut off)", VOC, box("5.70", "6.2", "20.5", "30.1")),
    Case("a box that begins at pixel 0 (read as all others, from 1)", VOC, box(0, 0, 20, 30)),
    Case("a box to one pixel beyond the image", VOC, beyond),
    Case("any folder, file name and path in XML (not read)", VOC, several(
        edit(XML, "<folder>.*?</folder>", "<folder>my pictures</folder><path>C:\\\\x\\\\y.png</path>"),
        edit(XML, r"<filename>.*?</filename>", "<filename>../other.png</filename>"))),
    Case("further elements: occluded, polygon, attributes", VOC, edit(
        XML, "</object>", "<occluded>0</occluded><polygon><x1>3</x1></polygon><attributes/></object>")),
    Case("blanks and line ends around a class name", VOC, edit(XML, r"<name>(\w+)</name>", r"<name> \1\n</name>")),
    Case("an image without an object", VOC, edit(XML, "<object>.*</object>", "")),
    Case("Windows line ends in a list", VOC,
         lambda root: (root / TEST).write_bytes((root / TEST).read_bytes().replace(b"\n", b"\r\n"))),
    Case("XML in Latin-1", VOC, coded("iso-8859-1")),
    Case("XML in UTF-16", VOC, coded("utf-16")),
    Case("a class without a test object (a warning names it)", VOC, no_star),
    Case("a list in UTF-16, as PowerShell writes", VOC, several(
        lambda root: (root / TEST).write_bytes((root / TEST).read_text().replace("\n", "\r\n").encode("utf-16")),
        lambda root: (root / TRAINVAL).write_bytes(b"\xfe\xff" + (root / TRAINVAL).read_text().encode("utf-16-be")))),
    Case("folders `train` and `test` with images and XML side by side, as of Roboflow", ONE_PART,
         several(flat_splits("train", "test"), write("valid/x.jpg"), write("README.roboflow.txt"))),
    Case("folders `train` and `valid`", ONE_PART, flat_splits("train", "valid")),
    Case("JPEGImages, Annotations and lists in one folder, as of CVAT", ONE_PART, one_folder("Train.txt", "Test.txt")),
    Case("the same with lists `train` and `val`", ONE_PART, one_folder("train.txt", "val.txt")),
    Case("XML that no list names", VOC, write("VOC2007/Annotations/x.xml")),
    Case("an image that no list names", VOC, write("VOC2007/JPEGImages/broken.jpg")),
    Case("a grey image", VOC, lambda root: grey(root / JPEG)),
    Case("a whole set on a read-only disk", VOC, read_only(".")),
]  # fmt: skip

COCOS = [
    Case("an image with a hard name", COCO, named(f"{ODD}.jpg")),
    Case("an image in a folder of its own", COCO, named("deeper/a.jpg")),
    Case("ids of images that count from 0 in either split", COCO, counted),
    Case("instances without `iscrowd`, or null (0: no crowd), or true and false", COCO, several(
        of_each(OBJECTS, "annotations", lambda one: one.pop("iscrowd")),
        of_each(TEST_OBJECTS, "annotations", lambda one: one.update(iscrowd=None)),
        first(OBJECTS, "annotations", iscrowd=False))),
    Case("instances without `area`, or null (the box's)", COCO, several(
        of_each(OBJECTS, "annotations", lambda one: one.pop("area")),
        of_each(TEST_OBJECTS, "annotations", lambda one: one.update(area=None)))),
    Case("instances without `segmentation`, or with RLE (not read)", COCO, several(
        of_each(OBJECTS, "annotations", lambda one: one.pop("segmentation", None)),
        of_each(TEST_OBJECTS, "annotations", lambda one: one.update(
            segmentation={"counts": "abc", "size": [64, 64]})))),
    Case("images without width and height, or null (the file's are read)", COCO, several(
        *(of_each(path, "images", lambda one: (one.pop("width"), one.pop("height"))) for path in (CAPTIONS, OBJECTS)),
        of_each(TEST_OBJECTS, "images", lambda one: one.update(width=None, height=None)))),
    Case("whole numbers with a fraction of 0", COCO, several(
        of_each(OBJECTS, "images", lambda one: one.update(id=float(one["id"]), width=float(one["width"]))),
        of_each(TEST_OBJECTS, "annotations", lambda one: one.update(image_id=float(one["image_id"]))))),
    Case("a box of numbers with fractions", COCO, first(OBJECTS, "annotations", bbox=[1.25, 2.5, 20.125, 9.75])),
    Case("a box to one pixel beyond the image", COCO, first(OBJECTS, "annotations", bbox=[0, 0, 49, 65])),
    Case("categories from 0, with gaps, in any order (sorted by id)", COCO, several(
        *(several(of_each(path, "categories", lambda one: one.update(id=7 * one["id"] - 7)),
                  of_each(path, "annotations", lambda one: one.update(category_id=7 * one["category_id"] - 7)))
          for path in (OBJECTS, TEST_OBJECTS)),
        edit_json(OBJECTS, lambda content: content["categories"].reverse()))),
    Case("a category 0 without objects, called like a class, as of Roboflow (said, and left out)", COCO, several(*(
        edit_json(path, lambda content: content["categories"].insert(
            0, {"id": 0, "name": content["categories"][-1]["name"], "supercategory": "none"}))
        for path in (OBJECTS, TEST_OBJECTS)))),
    Case("a later category without objects, called like a class (said, and left out)", COCO, several(*(
        edit_json(path, lambda content: content["categories"].append(
            {"id": 77, "name": content["categories"][0]["name"]})) for path in (OBJECTS, TEST_OBJECTS)))),
    Case("a category that is listed twice", COCO, several(*(
        edit_json(path, lambda content: content["categories"].append(
            {**content["categories"][0], "supercategory": "other"})) for path in (OBJECTS, TEST_OBJECTS)))),
    Case("a category without an object (a warning names it)", COCO, several(*(
        edit_json(path, lambda content: content["categories"].append({"id": 0, "name": "all", "supercategory": "none"}))
        for path in (OBJECTS, TEST_OBJECTS)))),
    Case("further keys, as a score, and no `info` and `licenses`", COCO, several(
        *(edit_json(path, lambda content: [content.pop(key, None) for key in ("info", "licenses")])
          for path in (CAPTIONS, OBJECTS, TEST_CAPTIONS, TEST_OBJECTS)),
        of_each(TEST_OBJECTS, "annotations", lambda one: one.update(score=0.5, attributes={})))),
    Case("an image without an object", COCO, edit_json(OBJECTS, lambda content: content.update(
        annotations=[one for one in content["annotations"] if one["image_id"] != content["images"][0]["id"]]))),
    Case("a file name with folders of another machine (left out)", COCO, several(
        of_each(OBJECTS, "images", lambda one: one.update(file_name=f"/home/x/images/{one['file_name']}")),
        of_each(CAPTIONS, "images", lambda one: one.update(file_name=f"C:\\x\\{one['file_name']}")),
        of_each(TEST_OBJECTS, "images", lambda one: one.update(file_name=f"../../upload/{one['file_name']}")))),
    Case("a file name with the escapes of a URL", COCO, several(
        named("a b ü.jpg"), first(OBJECTS, "images", file_name="a%20b%20%C3%BC.jpg"))),
    Case("JSON in UTF-16, as PowerShell writes", COCO, lambda root: (root / CAPTIONS).write_bytes(
        (root / CAPTIONS).read_text().encode("utf-16"))),
    Case("JSON with a byte-order mark", COCO, several(*(
        lambda root, path=path: (root / path).write_bytes(b"\xef\xbb\xbf" + (root / path).read_bytes())
        for path in (CAPTIONS, TEST_OBJECTS)))),
    Case("objects without captions (for detectors alone)", "data/coco: fine; train_images 12, test_images 6",
         lambda root: [path.unlink() for path in (root / "annotations").glob("captions_*.json")]),
    Case("captions without objects (for captioners alone)", COCO,
         lambda root: [path.unlink() for path in (root / "annotations").glob("instances_*.json")]),
    Case("a caption in any script, with emoji", COCO, caption("ein Kreis 漢字 🙂 e\u0301 \u202eabc")),
    Case("a caption with line ends of all kinds", COCO, caption("a\nb\r\nc\u2028d\x85e\x0bf")),
    Case("a caption of 10,000 words", COCO, caption("red " * 10_000)),
    Case("a caption with METEOR's own separator", COCO, caption("a ||| b")),
    Case("a caption with markup", COCO, caption("<script>alert(1)</script> $(id) {{ 7 * 7 }}")),
    Case("test captions with tabs", COCO, edit_json(TEST_CAPTIONS, lambda content: content["annotations"][0].update(
        caption="a\tring"))),
    Case("a class without a test object (a warning names it)", COCO, edit_json(TEST_OBJECTS, lambda content: [
        one.update(category_id=1) for one in content["annotations"]])),
    Case("a whole set on a read-only disk", COCO, read_only(".")),
]  # fmt: skip


CASES = {"workflow.config": CONFIGS, "workflow.data.imagenet": IMAGENETS, "workflow.data.voc": VOCS,
         "workflow.data.coco": COCOS}  # fmt: skip
