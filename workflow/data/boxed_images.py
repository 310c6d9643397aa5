"""An image with the true boxes of its class: what is localized. Also the reader and the check of a held-out set in the
layout of the benchmark wsolevaluation (Choe et al., CVPR 2020): CUBV2, and the images of ImageNetV2 with boxes.

Such a set has a folder of images, and one of lists: `class_labels.txt`, a line `image,class` each (classes count from
0), and `localization.txt`, a line `image,x0,y0,x1,y1` for each box in px."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from workflow.core.errors import UserError
from workflow.core.files import sha256
from workflow.data.validation.errors import ErrorList, box_fault, decoded, inside, require_dir
from workflow.data.validation.image_cache import ImageInfo

Box = tuple[float, float, float, float]  # (x0, y0, x1, y1) in px of the image file
LABELS, BOXES = "class_labels.txt", "localization.txt"  # of a held-out set


class BoxedImage(NamedTuple):
    """Path of an image, its label, and the boxes of its objects of that class."""

    path: str
    label: int
    boxes: tuple[Box, ...]


class Line(NamedTuple):
    """A line of a list: where it stands, `FILE:NUMBER`, and its fields."""

    where: str
    fields: list[str]


def lines(file: Path, count: int, what: str, separator: str | None = None, limit: int = -1) -> list[Line]:
    """The lines of a list that are not empty.

    Args:
        file: the list.
        count: of the fields of a line.
        what: a line is, for messages.
        separator: of the fields; None: blanks.
        limit: of splits; -1: none.

    Raises:
        UserError: if there is no such file, it is no text, or a line has another number of fields.
    """
    if not file.is_file():
        raise UserError(f"{file}: the list is missing")
    try:
        text = decoded(file.read_bytes())
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not {error.encoding.upper()} text: byte {error.start}: {error.reason}") from None
    entries = [
        Line(f"{file}:{number}", line.strip().split(separator, limit))
        for number, line in enumerate(text.splitlines(), start=1)
        if line.strip()
    ]
    for where, fields in entries:
        if len(fields) != count:
            raise UserError(f"{where}: a line must be {what}, not {' '.join(fields)!r:.80}")
    return entries


def number(line: Line, text: str, kind: type[int] | type[float] = int) -> Any:
    """A field of a line as a number; UserError if it is none."""
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"{line.where}: must be a {'whole ' * (kind is int)}number, not {text!r:.40}") from None


def held_out(section: Mapping[str, Any]) -> list[BoxedImage]:
    """The images of the `held_out` section of a data set, in the order of their list.

    Raises:
        UserError: if a list is missing, or not as above; an image twice or without a box; a box of no image.
    """
    images, lists = Path(section["images"]), Path(section["lists"])
    labels: dict[str, int] = {}
    for line in lines(lists / LABELS, 2, "image,class", ","):
        name, label = line.fields
        if name in labels or not inside(name):
            raise UserError(f"{line.where}: {name!r:.80} is {'listed twice' if name in labels else 'no image name'}")
        labels[name] = number(line, label)
    boxes: dict[str, list[Box]] = {name: [] for name in labels}
    for line in lines(lists / BOXES, 5, "image,x0,y0,x1,y1", ","):
        name, *edges = line.fields
        if name not in boxes:
            raise UserError(f"{line.where}: {name:.80} is not in {LABELS}")
        x0, y0, x1, y1 = (number(line, edge, float) for edge in edges)
        boxes[name].append((x0, y0, x1, y1))
    return [BoxedImage(str(images / name), label, tuple(boxes[name])) for name, label in labels.items()]


def check_held_out(section: Mapping[str, Any], classes: int, faults: ErrorList) -> list[BoxedImage]:
    """A held-out set whose lists can be read: each of its images exists and has a class of the data; the images."""
    require_dir(Path(section["images"]), "the folder of held-out images")
    entries = held_out(section)
    file = Path(section["lists"]) / LABELS
    for image in entries:
        if not Path(image.path).is_file():
            faults.add("absent images", f"{file}: {image.path}: there is no such image")
        if not 0 <= image.label < classes:
            faults.add("unknown classes", f"{file}: {image.path}: class {image.label} is not one of 0 to {classes - 1}")
    return [image for image in entries if Path(image.path).is_file()]


def held_out_hashes(section: Mapping[str, Any]) -> dict[Path, str]:
    """Each list of a held-out set to its SHA-256."""
    return {Path(section["lists"]) / name: sha256(Path(section["lists"]) / name) for name in (LABELS, BOXES)}


def last_pixel_fault(box: Box, width: int, height: int) -> str | None:
    """What is wrong with a box whose edges are its first and last pixels, in words; None if nothing is. Real sets have
    boxes of one row or column of pixels."""
    x0, y0, x1, y1 = box
    thin = x0 <= x1 and y0 <= y1
    return box_fault((x0, y0, max(x1, x0 + 1), max(y1, y0 + 1)) if thin else box, 0, width, height)


def check_boxes(
    images: Sequence[BoxedImage],
    looked: Mapping[Any, ImageInfo],
    where: Callable[[BoxedImage], Path],
    faults: ErrorList,
) -> None:
    """Each image has a box, and each box lies on its image, whose pixels count from 0.

    Args:
        images: to check.
        looked: what was seen of them, by path.
        where: function(image) that gives the file that its boxes stand in, for messages.
        faults: more go here.
    """
    for image in images:
        if not image.boxes:
            faults.add("images without a box", f"{where(image)}: {image.path} has no box")
        for box in image.boxes if image.path in looked else ():
            if fault := last_pixel_fault(box, looked[image.path].width, looked[image.path].height):
                faults.add("bad boxes", f"{where(image)}: {Path(image.path).name}: {fault}")
