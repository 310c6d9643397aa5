"""COCO's annotation files as the check, the training and the scoring read them: `load` fills in what many tools leave
out, so that nobody who reads them needs to know of it."""

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import unquote

from workflow.core.errors import UserError
from workflow.data.validation.decoding import open_image
from workflow.data.validation.errors import ANY, NUMBER, TEXT, FieldType, inside, load_lists, text_error


def _is_integer(value: object) -> bool:
    return type(value) in (int, float) and abs(value) < 1 << 53 and value == int(value)


ID: FieldType = ("a whole number", _is_integer)  # also 7.0, as tables are written
FLAG: FieldType = ("a whole number", lambda value: isinstance(value, bool) or _is_integer(value))
SIDE: FieldType = ("a whole number above 0", lambda value: _is_integer(value) and 0 < value < 1 << 31)
FILE: FieldType = ("the name of a file in its folder", lambda value: text_error(value) is None)
IMAGE = {"id": ID, "file_name": FILE, "width": SIDE, "height": SIDE}
INSTANCE = {"id": ID, "image_id": ID, "category_id": ID, "bbox": ANY, "area": NUMBER, "iscrowd": FLAG}
LISTS = {  # of the two kinds of annotation files: what of their entries is read
    "captions": {"images": IMAGE, "annotations": {"id": ID, "image_id": ID, "caption": ANY}},
    "instances": {"images": IMAGE, "annotations": INSTANCE, "categories": {"id": ID, "name": TEXT}},
}
OPTIONAL = {"images": ("width", "height"), "annotations": ("area", "iscrowd")}  # may be absent, or null
NAMES = {"train": "train2014", "test": "val2014"}  # part of split "2014" -> official name
INTEGERS = ("id", "image_id", "category_id", "iscrowd", "width", "height")


def annotation_file(root: str | Path, name: str, kind: str) -> Path:
    """The annotation file of an official part: kind is `captions` or `instances`."""
    return Path(root) / "annotations" / f"{kind}_{name}.json"


def load(path: Path, folder: Path, kind: str) -> dict[str, Any]:
    """An annotation file of the images in `folder`; UserError naming what is missing or of another kind.

    A width and height left out are the image's, `iscrowd` is 0, `area` the box's; `categories` are sorted by id, as
    label n is the n-th, and of those of one name the ones without objects are moved to `unused_categories`;
    `file_name` is the file that it leads to."""
    content = _read(path, kind)
    try:
        files = set(os.listdir(folder))  # noqa: PTH208  (80,000 images are not asked for one by one)
    except (FileNotFoundError, NotADirectoryError):
        files = set()
    for number, image in enumerate(content["images"]):
        image["file_name"] = name = leads_to(folder, files, image["file_name"])
        if not inside(name):
            raise UserError(f"{path}: images[{number}]: 'file_name' must be {FILE[0]}, not {name!r:.60}")
        if image.get("width") is None or image.get("height") is None:
            with open_image(folder / name) as opened:
                image["width"], image["height"] = opened.size
    if kind == "instances":
        content["unused_categories"] = unused = _unused(path, content)
        content["categories"] = [category for category in content["categories"] if category not in unused]
        for one in content["annotations"]:
            one["iscrowd"] = one.get("iscrowd") or 0
            if one.get("area") is None:
                one["area"] = one["bbox"][2] * one["bbox"][3] if is_box(one["bbox"]) else 0
    return content


def _read(path: Path, kind: str) -> dict[str, Any]:
    """The file's lists, their whole numbers as such; categories by id, of identical ones the first."""
    content = load_lists(path, LISTS[kind], OPTIONAL)
    for name in LISTS[kind]:
        for entry in content[name]:
            entry.update({key: int(entry[key]) for key in INTEGERS if entry.get(key) is not None})
    if kind == "instances":
        ordered = sorted(content["categories"], key=lambda category: category["id"])
        names = [(category["id"], category["name"]) for category in ordered]
        content["categories"] = [one for n, one in enumerate(ordered) if n == 0 or names[n] != names[n - 1]]
    return content


def _unused(path: Path, content: dict[str, Any]) -> list[dict[str, Any]]:
    """The categories whose name another one has, and of which there is no object in training and test; if none
    has one, all but the last. Exports have a supercategory as category 0, which may be called like a class."""
    counts = Counter(category["name"] for category in content["categories"])
    doubtful = [category for category in content["categories"] if counts[category["name"]] > 1]
    if not doubtful:
        return []
    files = {path.name: content}  # the other part's objects count too: both parts have the same labels
    for name in NAMES.values():
        other = path.with_name(annotation_file("", name, "instances").name)
        if other.name not in files and other.is_file():
            files[other.name] = _read(other, "instances")
    used = {one["category_id"] for each in files.values() for one in each["annotations"]}
    last = {category["name"]: category["id"] for category in doubtful}
    last |= {category["name"]: category["id"] for category in doubtful if category["id"] in used}
    return [category for category in doubtful if category["id"] not in used | {last[category["name"]]}]


def is_box(box: object) -> bool:
    """Four numbers?"""
    return isinstance(box, list) and len(box) == 4 and all(NUMBER[1](value) for value in box)


def leads_to(folder: Path, files: set[str], given: str) -> str:
    """The name, within its folder, of the file that `file_name` means: as it stands; or without escapes of a URL; or
    without the folders in front of it, which are those of another machine. As it stands if there is none."""
    if given in files:
        return given
    for name in _tails(given):
        if inside(name) and (name in files or ("/" in name and (folder / name).is_file())):
            return name
    return given


def _tails(given: str) -> Iterator[str]:
    """a/b/c.jpg, b/c.jpg, c.jpg; then of the name with `%20` and `\\` read."""
    for text in dict.fromkeys((given, unquote(given), unquote(given).replace("\\", "/"))):
        parts = PurePosixPath(text).parts
        yield from ("/".join(parts[start:]) for start in range(len(parts)))
