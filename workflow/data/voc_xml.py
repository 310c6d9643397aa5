"""An annotation in VOC's XML format, parsed: the image's size and its objects. It belongs to no layout of folders."""

import xml.etree.ElementTree as ET
from pathlib import Path
from typing import NamedTuple

from workflow.core.errors import UserError

EDGES = ("xmin", "ymin", "xmax", "ymax")


class Annotation(NamedTuple):
    """One XML: the image's (width, height) in px if it gives them, and its objects as (class, (xmin, ymin, xmax,
    ymax), difficult)."""

    size: tuple[int, int] | None
    objects: list[tuple[str, tuple[float, float, float, float], bool]]


def _number(element: ET.Element | None, tag: str, where: str, whole: bool = False) -> float:
    """The number in a child element; tools write edges as `45.70` and whole numbers as `640.0`."""
    text = element.findtext(tag) if element is not None else None
    try:
        value = float(text)
        if whole and not value.is_integer():
            raise ValueError
    except (TypeError, ValueError):
        raise UserError(f"{where} has no valid <{tag}>" + (f": {text!r:.60}" if text else "")) from None
    return int(value) if whole else value


def _is_difficult(element: ET.Element, where: str) -> bool:
    """No element, an empty one and `False` are 0."""
    text = (element.findtext("difficult") or "").strip().lower()
    if text in ("", "true", "false"):
        return text == "true"
    return bool(_number(element, "difficult", where, whole=True))


def parse(text: bytes, path: Path) -> Annotation:
    """Read one annotation; UserError naming the file and the element at fault."""
    try:
        tree = ET.fromstring(text)
    except ET.ParseError as error:
        raise UserError(f"{path}:{error.position[0]}: the XML cannot be parsed: {error}") from None
    except (ValueError, LookupError) as error:  # its encoding
        raise UserError(f"{path}:1: the XML cannot be parsed: {error}") from None
    _refuse_repeated(tree, ("size",), f"{path}:")
    named = sum(element.tag.rpartition("}")[2].lower() in ("object", "objects") for element in tree.iter())
    if named != len(tree.findall("object")):
        raise UserError(f"{path}: an <object> stands where no reader finds it: not directly in the root, or misspelt")
    size, sides = tree.find("size"), None
    if size is None and tree.tag != "annotation":
        raise UserError(f"{path}: not an annotation of VOC: its root is <{tree.tag:.60}>, and it has no <size>")
    if size is not None:
        width, height = (_number(size, tag, f"{path}: <size>", whole=True) for tag in ("width", "height"))
        sides = (width, height) if width or height else None  # 0 x 0 is written by tools that did not open the image
    return Annotation(sides, [_object(element, path, n) for n, element in enumerate(tree.findall("object"), start=1)])


def _object(element: ET.Element, path: Path, number: int) -> tuple[str, tuple[float, ...], bool]:
    """(class, box, difficult); blanks around the class are layout."""
    where, name = f"{path}: object {number}", (element.findtext("name") or "").strip()
    if not name:
        raise UserError(f"{where} has no <name>")
    _refuse_repeated(element, ("name", "bndbox", "difficult"), where)
    box = element.find("bndbox")
    if box is None:
        raise UserError(f"{where} ({name:.60}) has no <bndbox>")
    _refuse_repeated(box, EDGES, where)
    edges = tuple(_number(box, tag, f"{where} ({name:.60})") for tag in EDGES)
    return name, edges, _is_difficult(element, f"{where} ({name:.60})")


def _refuse_repeated(element: ET.Element | None, tags: tuple[str, ...], where: str) -> None:
    """UserError for a child element that stands twice: readers take the first and pass over the others."""
    for tag in tags if element is not None else ():
        if len(element.findall(tag)) > 1:
            raise UserError(f"{where} has {len(element.findall(tag))} <{tag}>")
