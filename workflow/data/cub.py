"""CUB-200-2011: ROOT with images/<class>/<image>, and lists of `id value`, ids from 1: images.txt, classes.txt,
image_class_labels.txt, train_test_split.txt (1: training, 0: test), bounding_boxes.txt (id, x, y, width, height)."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.escaping import say
from workflow.core.files import sha256
from workflow.data.boxed_images import (
    BoxedImage,
    Line,
    check_boxes,
    check_held_out,
    held_out_hashes,
    lines,
    number,
)
from workflow.data.labelled import FileImages
from workflow.data.sets.cub import DATASET, PARTS
from workflow.data.validation.errors import (
    ErrorList,
    check_split_overlap,
    command_line,
    fingerprint,
    inside,
    require_dir,
)
from workflow.data.validation.image_cache import ImageCache
from workflow.data.validation.image_scan import look_at_all

IMAGES, CLASSES, LABELS, SPLIT, BOXES = (
    *("images.txt", "classes.txt", "image_class_labels.txt"),
    *("train_test_split.txt", "bounding_boxes.txt"),
)
LISTS = (IMAGES, CLASSES, LABELS, SPLIT, BOXES)
OFFICIAL = DATASET.counts[""]


class Bird(NamedTuple):
    """An image with its box, and whether it is one to train on."""

    image: BoxedImage
    training: bool


def by_id(root: Path, name: str, what: str, count: int = 2) -> dict[int, Line]:
    """id -> line of a list; UserError for a line that is not `id …`, or an id that stands twice."""
    entries: dict[int, Line] = {}
    for line in lines(root / name, count, what, None, 1 if count == 2 else -1):
        key = number(line, line.fields[0])
        if key in entries:
            raise UserError(f"{line.where}: id {key} stands twice")
        entries[key] = line
    if not entries:
        raise UserError(f"{root / name}: the list is empty")
    return entries


def classes(root: str | Path) -> list[str]:
    """The class names in the order of their ids, which must be 1, 2, …: label = id - 1."""
    entries = by_id(Path(root), CLASSES, "a class id and a name")
    for place, (key, line) in enumerate(sorted(entries.items()), start=1):
        if key != place:
            raise UserError(f"{line.where}: class id {key}: ids must be 1 to {len(entries)}")
    return [entries[key].fields[1] for key in sorted(entries)]


def read(root: str | Path) -> list[Bird]:
    """All images in the order of their ids.

    Raises:
        UserError: if a list is missing or not as above, or two lists do not have the same ids.
    """
    root, names = Path(root), classes(root)
    listed = {
        IMAGES: by_id(root, IMAGES, "an id and the path of an image"),
        LABELS: by_id(root, LABELS, "an id and a class id"),
        SPLIT: by_id(root, SPLIT, "an id and 1 (training) or 0 (test)"),
        BOXES: by_id(root, BOXES, "an id, x, y, width and height", 5),
    }
    for name, entries in listed.items():
        for key in entries.keys() - listed[IMAGES].keys():
            raise UserError(f"{entries[key].where}: id {key} is not in {IMAGES}")
        for key in listed[IMAGES].keys() - entries.keys():
            raise UserError(f"{listed[IMAGES][key].where}: id {key} is not in {name}")
    return [
        _bird(root, {name: entries[key] for name, entries in listed.items()}, len(names))
        for key in sorted(listed[IMAGES])
    ]


def _bird(root: Path, entry: dict[str, Line], classes: int) -> Bird:
    path, label, split = (entry[name].fields[1] for name in (IMAGES, LABELS, SPLIT))
    if not inside(path):
        raise UserError(f"{entry[IMAGES].where}: {path!r:.80} is not in the folder images")
    if not 1 <= number(entry[LABELS], label) <= classes:
        raise UserError(f"{entry[LABELS].where}: class id {label} is not in {CLASSES}")
    if split not in ("0", "1"):
        raise UserError(f"{entry[SPLIT].where}: must be 1 (training) or 0 (test), not {split!r:.40}")
    x, y, width, height = (number(entry[BOXES], text, float) for text in entry[BOXES].fields[1:])
    if not (width > 0 and height > 0):
        raise UserError(f"{entry[BOXES].where}: width and height must be above 0, not {width:g} and {height:g}")
    return Bird(BoxedImage(f"{root}/images/{path}", int(label) - 1, ((x, y, x + width, y + height),)), split == "1")


def samples(root: str | Path, part: str) -> list[BoxedImage]:
    """The images of part `train` or `test`, in the order of their ids."""
    return [bird.image for bird in read(root) if bird.training == (part == "train")]


def open_part(root: str, part: str) -> FileImages:
    """The images of part `train` or `test` with their classes, in the order of their ids."""
    folder, images = f"{root}/images", samples(root, part)
    names = [image.path[len(folder) + 1 :].encode(errors="surrogateescape") for image in images]
    return FileImages(folder, np.array(names, dtype=np.bytes_), np.array([image.label for image in images]))


def _check_parts(root: Path, parts: dict[str, list[BoxedImage]], names: list[str], faults: ErrorList) -> None:
    """No part is empty, all classes can be learnt, and the images exist."""
    for part, images in parts.items():
        if not images:
            raise UserError(f"{root / SPLIT}: no image of {part}")
        for image in images:
            if not Path(image.path).is_file():
                faults.add("absent images", f"{root / IMAGES}: {image.path}: there is no such image")
    learnt = {image.label for image in parts["train"]}
    for label, name in enumerate(names):
        if label not in learnt:
            faults.add("classes without images", f"{root / SPLIT}: class {name} has no training image")


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`; return what it has found. Raises UserError with every fault found.

    `remember`: the file that keeps what is known of its images; without it, all are looked at. `threads`: on how
    many cores; None: on all.
    """
    root, faults = Path(root), ErrorList()
    require_dir(root, "the folder CUB_200_2011")
    names, memory = classes(root), ImageCache(remember, root)
    parts = {part: samples(root, part) for part in PARTS}
    _check_parts(root, parts, names, faults)
    held = check_held_out(section["held_out"], len(names), faults) if "held_out" in section else []
    faults.raise_if_any()
    looked = {
        part: look_at_all([image.path for image in images], f"checking CUB {part}", faults, memory, threads)
        for part, images in (parts | {"held_out": held}).items()
    }
    for part in PARTS:
        check_boxes(parts[part], looked[part], lambda image: root / BOXES, faults)
    check_boxes(held, looked["held_out"], lambda image: section["held_out"]["lists"], faults)
    counts = {part: len(looked[part]) for part in PARTS}
    seen = looked["train"] | looked["held_out"]
    check_split_overlap(seen, looked["test"], counts == OFFICIAL, faults)
    faults.raise_if_any()
    if len(names) == DATASET.classes and counts != OFFICIAL:
        say(f"warning: {root}: {counts['train']:,} and {counts['test']:,} images, not the official 5,994 and 5,794")
    hashes = {root / name: sha256(root / name) for name in LISTS}
    hashes |= held_out_hashes(section["held_out"]) if held else {}
    return DatasetInfo(
        set=DATASET.name,
        root=str(root),
        fingerprint=fingerprint(root, seen | looked["test"], hashes),
        classes=names,
        counts=counts | ({"held_out": len(held)} if held else {}),
    )


main = command_line(check)

if __name__ == "__main__":
    main()
