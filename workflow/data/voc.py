"""Pascal VOC: ROOT (the VOCdevkit) with VOC2007 and VOC2012. Trained on both trainval splits, tested on VOC2007's.

Any set in this layout will do; the config gives its classes. Boxes are 1-based and inclusive, as in the devkit."""

import hashlib
import os
from pathlib import Path
from typing import NamedTuple

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import sha256
from workflow.data.sets.voc import DATASET
from workflow.data.synthetic.sprites import class_names
from workflow.data.validation.decoding import open_image
from workflow.data.validation.errors import (
    ErrorList,
    box_fault,
    check_split_overlap,
    command_line,
    fingerprint,
    inside,
    require_dir,
    warn_of_absent,
)
from workflow.data.validation.image_cache import ImageCache, ImageInfo
from workflow.data.validation.image_scan import look_at_all
from workflow.data.validation.unused import say_unused
from workflow.data.voc_lists import SPLITS, Part, annotation_path, image_folder, listed, need_layout, split_file
from workflow.data.voc_xml import Annotation, parse

CLASSES = (
    *("aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow"),
    *("diningtable", "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor"),
)
OFFICIAL_TEST = DATASET.counts[""]["test07"]


class Checked(NamedTuple):
    """The annotation of one image, where it stands, and the SHA-256 of its text."""

    path: Path
    hash: str
    annotation: Annotation


def classes(section: dict) -> list[str]:
    """The class names in label order: of the synthetic set, VOC's twenty (`voc`) or the list given."""
    if "synthetic" in section:
        return class_names(section["synthetic"])
    given = section.get("classes")
    if given == "voc":
        return list(CLASSES)
    if not isinstance(given, list) or len(set(given)) < len(given) or not given:
        raise UserError(f"data.voc.classes: must list each class once, not {given!r:.200}")
    return list(given)


def sized(annotation: Annotation, image: Path) -> Annotation:
    """With the size of the image itself where the XML gives none; ImageError if that cannot be opened."""
    if annotation.size:
        return annotation
    with open_image(image) as opened:
        return annotation._replace(size=opened.size)


def read(path: Path, image: Path) -> Annotation:
    """The annotation of an image, as the check and the training see it."""
    return sized(parse(path.read_bytes(), path), image)


def whole_pixels(box: tuple[float, ...]) -> tuple[int, ...]:
    """A box as the detectors read it, without fractions of a pixel."""
    return tuple(map(int, box))


def _check_split_file(root: Path, split: str, faults: ErrorList) -> dict[str, Path]:
    """name -> image of a split; every line names one image, once, that exists with its annotation."""
    path = split_file(root, split)
    if not path.exists() or (path.is_dir() and path != image_folder(root, split)):
        raise UserError(f"{path}: the image list is missing")
    try:
        lines = listed(root, split)
    except UnicodeDecodeError as error:
        said = f"not {error.encoding.upper()} text: byte {error.start}: {error.reason}"
        raise UserError(f"{path}: {said}; save it as UTF-8") from None
    if not lines:
        raise UserError(f"{path}: the split is empty")
    found: dict[str, Path] = {}
    for number, name, images in lines:
        where = f"{path}:{number}" if number else f"{path}"
        several_words = number and not images and len(name.split()) != 1
        if several_words or not name.isprintable() or not inside(name):
            faults.add("bad lines", f"{where}: a line must be one image name, not {name!r:.80}")
        elif name in found:
            faults.add("images listed twice", f"{where}: {name} is listed twice")
        elif not images:
            image = image_folder(root, split) / f"{name}.jpg"
            faults.add("absent images", f"{where}: the image {image} (or of another suffix) is missing")
        elif len(images) > 1:
            names = ", ".join(image.name for image in images)
            faults.add("several images of a name", f"{where}: {name} may be any of {names}")
        elif not annotation_path(root, split, name).is_file():
            faults.add("absent annotations", f"{where}: {annotation_path(root, split, name)} is missing")
        else:
            found[name] = images[0]
    return found


def _check_annotation(path: Path, annotation: Annotation, known: list[str], faults: ErrorList) -> None:
    """Every class is known, every box lies on an image of the stated size."""
    for number, (name, box, _) in enumerate(annotation.objects, start=1):
        where = f"{path}: object {number} ({name:.60})"
        if name not in known:
            faults.add("unknown classes", f"{where}: the class is not in the class list {', '.join(known)}")
        if fault := box_fault(box, 1, *annotation.size) or box_fault(whole_pixels(box), 1, *annotation.size):
            faults.add("bad boxes", f"{where}: {fault}")  # detectors read whole pixels


def _check_annotations(root: Path, split: str, known: list[str], faults: ErrorList) -> dict[Path, Checked]:
    """Every annotation of a split; returns image -> what was read."""
    read: dict[Path, Checked] = {}
    for name, image in _check_split_file(root, split, faults).items():
        path = annotation_path(root, split, name)
        text = path.read_bytes()
        try:
            annotation = sized(parse(text, path), image)
        except UserError as error:
            faults.add("bad annotations", str(error))
            continue
        read[image] = Checked(path, hashlib.sha256(text).hexdigest(), annotation)
        _check_annotation(path, annotation, known, faults)
    if read and not _seen(read):
        only = " but difficult ones" * any(found.annotation.objects for found in read.values())
        where = split_file(root, split)
        faults.add("splits without objects", f"{where}: no image of the split has an object{only}")
    return read


def _seen(*splits: dict[Path, Checked]) -> set[str]:
    """The classes of which there is an object that counts."""
    found = [each.annotation.objects for read in splits for each in read.values()]
    return {name for objects in found for name, _, difficult in objects if not difficult}


def _warn_of_absent(root: Path, read: dict[str, dict[Path, Checked]], known: list[str]) -> None:
    """Say which classes are in no training image, and which in no test image."""
    for splits in (("trainval07", "trainval12"), ("test07",)):
        seen, tested = _seen(*(read[split] for split in splits if split in read)), splits == ("test07",)
        warn_of_absent(split_file(root, splits[0]), [name for name in known if name not in seen], tested)


def _check_apart(root: Path, parts: dict[str, Part], faults: ErrorList) -> None:
    """No image is listed for training and test; in folders of their own, other images may have the same name."""
    train, test = parts["trainval07"], parts["test07"]
    training = {each.name for each in listed(root, "trainval07")} if train.images == test.images else ()
    for number, name, _ in listed(root, "test07"):
        if name in training:
            where = f"{test.list}:{number}: {name} is also in {train.list.name}, for training"
            faults.add("images in both training and test", where)


def _say_unused(root: Path, parts: dict[str, Part], read: dict[str, dict[Path, Checked]]) -> None:
    """What lies in the folders of images, and next to those that stand for lists, and is not used."""
    for folder in dict.fromkeys(part.images for part in parts.values()):
        files = [file for split in read for image, found in read[split].items() for file in (image, found.path)]
        used = {file.relative_to(folder).parts[0] for file in files if file.is_relative_to(folder)}
        reason = "in no image list" if parts["test07"].list else "neither image nor XML"
        say_unused(folder, reason, set(os.listdir(folder)) - used)  # noqa: PTH208
    if not parts["test07"].list:
        known = {part.images.name for part in parts.values()}
        say_unused(root, "neither training nor test", {entry.name for entry in root.iterdir()} - known)


def _look_at_split(
    split: str, read: dict[Path, Checked], faults: ErrorList, memory: ImageCache, threads: int | None
) -> dict[Path, ImageInfo]:
    """Decode every image of a split and compare it with the size that its XML states."""
    looked = look_at_all(read, f"checking VOC {split}", faults, memory, threads)
    for image, found in looked.items():
        stated, real = read[image].annotation.size, (found.width, found.height)
        if stated != real:
            sizes = "<size> says {}x{} px, the image has {}x{} px".format(*stated, *real)
            faults.add("wrong sizes", f"{read[image].path}: {sizes}")
    return looked


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`; return what it has found. Raises UserError with every fault found.

    `remember`: the file that keeps what is known of its images; without it, all are looked at. `threads`: on how
    many cores; None: on all.
    """
    root, faults, known = Path(root), ErrorList(), classes(section)
    require_dir(root, "the VOCdevkit folder")
    parts = need_layout(root)
    if "trainval12" in parts:  # the devkit, both years of it
        for year in ("2007", "2012"):
            require_dir(root / f"VOC{year}", f"the folder VOC{year}")
    read = {split: _check_annotations(root, split, known, faults) for split in parts}
    _check_apart(root, parts, faults)
    faults.raise_if_any()
    memory = ImageCache(remember, root)
    _say_unused(root, parts, read)
    looked = {split: _look_at_split(split, read[split], faults, memory, threads) for split in parts}
    trained = looked["trainval07"] | looked.get("trainval12", {})
    check_split_overlap(trained, looked["test07"], len(read["test07"]) == OFFICIAL_TEST, faults)
    faults.raise_if_any()
    _warn_of_absent(root, read, known)
    hashes = {found.path: found.hash for members in read.values() for found in members.values()}
    hashes |= {part.list: sha256(part.list) for part in parts.values() if part.list}
    return DatasetInfo(
        set=DATASET.name,
        root=str(root),
        fingerprint=fingerprint(root, trained | looked["test07"], hashes),
        classes=known,
        with_object=sum(bool(each.annotation.objects) for s in read if s != "test07" for each in read[s].values()),
        counts={split: len(read.get(split, ())) for split in SPLITS},
    )


main = command_line(check)

if __name__ == "__main__":
    main()
