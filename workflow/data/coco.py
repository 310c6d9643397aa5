"""MS-COCO 2014 in its official layout: ROOT/annotations/{captions,instances}_*.json, ROOT/{train,val}2014/.

Split "2014" trains on train2014 and tests on val2014, as the paper's reference code does; for "karpathy" see
karpathy.py."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import sha256
from workflow.data import karpathy
from workflow.data.coco_files import LISTS, NAMES, annotation_file, is_box, load
from workflow.data.sets.coco import DATASET
from workflow.data.validation.errors import (
    ErrorList,
    box_fault,
    check_split_overlap,
    command_line,
    fingerprint,
    require_dir,
    text_error,
    warn_of_absent,
)
from workflow.data.validation.image_cache import ImageCache, ImageInfo
from workflow.data.validation.image_scan import look_at_all
from workflow.data.validation.unused import say_unused

# The one place that says what a split is made of: config value -> its parts.
SPLITS = {"2014": ("train", "test"), "karpathy": tuple(karpathy.PARTS)}
OFFICIAL_IMAGES = {name: DATASET.counts["2014"][f"{part}_images"] for part, name in NAMES.items()}


class Captioned(NamedTuple):
    """One image with its captions, in the order of the annotation file."""

    path: Path
    image_id: int
    captions: list[str]


def read(check: DatasetInfo, part: str) -> list[Captioned]:
    """The images of part `train` or `test` of a checked set with their captions, by image id."""
    return captioned(Path(check.root), check.split, part)


def captioned(root: Path, split: str | None, part: str) -> list[Captioned]:
    """The images of a part of a split with their captions, by image id."""
    if split == "karpathy":
        found = {
            image["cocoid"]: Captioned(
                root / image["filepath"] / image["filename"], image["cocoid"], [s["raw"] for s in image["sentences"]]
            )
            for image in karpathy.images(root, part)
        }
        return [found[image_id] for image_id in sorted(found)]
    folder = root / NAMES[part]
    content = load(annotation_file(root, NAMES[part], "captions"), folder, "captions")
    found = {image["id"]: Captioned(folder / image["file_name"], image["id"], []) for image in content["images"]}
    for annotation in content["annotations"]:
        found[annotation["image_id"]].captions.append(annotation["caption"])
    return [found[image_id] for image_id in sorted(found)]


def _check_ids(path: Path, name: str, entries: list[dict], faults: ErrorList) -> None:
    """No id, and no file name of images, stands twice in a list."""
    for key in ("id", "file_name"):
        counts = Counter(entry[key] for entry in entries if key in entry)
        for value in (value for value, count in counts.items() if count > 1):
            faults.add(f"repeated {key}", f"{path}: {key} {value} stands {counts[value]} times in '{name}'")


def _check_images(path: Path, folder: Path, images: list[dict], faults: ErrorList) -> None:
    """The file lists images, and each of them exists, once."""
    if not images:
        raise UserError(f"{path}: the split is empty: it lists no image")
    _check_ids(path, "images", images, faults)
    for image in images:
        if not (folder / image["file_name"]).is_file():
            faults.add("absent images", f"{path}: image {image['id']}: {folder / image['file_name']} is missing")


def _check_captions(path: Path, content: dict, faults: ErrorList) -> None:
    """Every caption has words and an image of the list, every image a caption."""
    _check_ids(path, "annotations", content["annotations"], faults)
    bare = {image["id"] for image in content["images"]}
    known = frozenset(bare)
    for caption in content["annotations"]:
        where = f"{path}: caption {caption['id']}"
        if caption["image_id"] not in known:
            faults.add("captions of unknown images", f"{where}: image {caption['image_id']} is not in 'images'")
        elif fault := text_error(caption["caption"]):
            faults.add("bad captions", f"{where} of image {caption['image_id']} {fault}")
        bare.discard(caption["image_id"])
    for image_id in sorted(bare):
        faults.add("images without a caption", f"{path}: image {image_id} has no caption")


def _check_instances(path: Path, content: dict, official: bool, faults: ErrorList) -> None:
    """Every instance has a listed image and category, and a box on the image; there are some if there are classes."""
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    categories = {category["id"]: category["name"] for category in content["categories"]}
    left_out = ErrorList() if official else faults
    for instance in content["annotations"]:
        where = f"{path}: instance {instance['id']}"
        if instance["image_id"] not in sizes:
            faults.add("instances of unknown images", f"{where}: image {instance['image_id']} is not in 'images'")
            continue
        if instance["category_id"] not in categories:
            category = instance["category_id"]
            faults.add("unknown classes", f"{where}: category {category} is not in the class list 'categories'")
        where += f" of image {instance['image_id']}"
        if fault := _box_fault(instance, sizes[instance["image_id"]], official):
            faults.add("bad boxes", f"{where}: {fault}")
        elif reason := _left_out(instance):
            left_out.add("objects that training would leave out", f"{where}: {reason}: training would leave it out")
    if official:
        left_out.warn()
    unused = [f"{category['id']} ({category['name']:.60})" for category in content["unused_categories"]]
    say_unused(path, "categories without objects whose name another has", unused)
    if categories and all(instance["iscrowd"] for instance in content["annotations"]):
        only = " but crowds" * bool(content["annotations"])
        faults.add("splits without objects", f"{path}: no image has an object{only}")
    _check_ids(path, "annotations", content["annotations"], faults)
    _check_ids(path, "categories", content["categories"], faults)
    for number, name in categories.items():
        same = [str(other) for other in categories if categories[other] == name]
        if len(same) > 1 and same[0] == str(number):
            where = f"{path}: categories {', '.join(same)}"
            faults.add("repeated class names", f"{where} have the same name, {name:.60}, and objects of each")
        if fault := text_error(name):
            faults.add("bad class names", f"{path}: the name of category {number} {fault}")


def _box_fault(instance: dict, size: tuple[int, int], official: bool) -> str | None:
    """What is wrong with the box of an instance on an image of `size`; None if nothing is."""
    box = instance["bbox"]
    if not is_box(box):
        return f"bbox must be [x, y, width, height], not {box!r:.60}"
    x, y, width, height = box
    # The official files hold a few boxes of zero height: known, and skipped by every reader.
    if official and min(width, height) == 0:
        return None
    return box_fault((x, y, x + width, y + height), 0, *size)


def _left_out(instance: dict) -> str | None:
    """Why mmdetection's CocoDataset passes over an instance without a word; None if it does not."""
    if instance.get("ignore"):
        return "it is marked `ignore`"
    if min(instance["bbox"][2:]) < 1:
        return "its box is narrower than one pixel"
    return f"its area is {instance['area']:g}" if instance["area"] <= 0 else None


def _kinds(root: Path) -> list[str]:
    """Of captions and instances those that the set has in either part: a detector needs no captions, a captioner no
    objects. Both if it has none: the first one is named as missing."""
    found = [kind for kind in LISTS if any(annotation_file(root, name, kind).exists() for name in NAMES.values())]
    return found or list(LISTS)


def _check_annotations(root: Path, name: str, faults: ErrorList) -> dict[str, dict]:
    """Check the annotation files of an official part; returns their contents by kind."""
    folder, contents = require_dir(root / name, f"the folder {name}"), {}
    for kind in _kinds(root):
        path = annotation_file(root, name, kind)
        contents[kind] = load(path, folder, kind)
        _check_images(path, folder, contents[kind]["images"], faults)
    if "captions" in contents:
        _check_captions(annotation_file(root, name, "captions"), contents["captions"], faults)
    if "instances" in contents:
        official = len(contents["instances"]["images"]) == OFFICIAL_IMAGES.get(name)
        _check_instances(annotation_file(root, name, "instances"), contents["instances"], official, faults)
    return contents


def _check_classes(root: Path, contents: dict[str, dict], faults: ErrorList) -> None:
    """train2014 and val2014 have the same categories. Their ids of images are each part's: both may count from 1."""
    train, test = (
        [(one["id"], one["name"]) for one in content["instances"]["categories"]] for content in contents.values()
    )
    if train != test:
        files = [annotation_file(root, name, "instances") for name in reversed(contents)]
        faults.add("differing classes", "{}: its 'categories' are not those of {}".format(*files))


def _look_at_part(
    root: Path, name: str, contents: dict[str, dict], faults: ErrorList, memory: ImageCache, threads: int | None
) -> dict[Path, ImageInfo]:
    """Decode every image of a part and compare it with the size that the annotation files state."""
    entries = [(kind, image) for kind, content in contents.items() for image in content["images"]]
    paths = sorted({root / name / image["file_name"] for _, image in entries})
    used = {Path(image["file_name"]).parts[0] for _, image in entries}
    say_unused(root / name, "in no annotation file", {entry.name for entry in (root / name).iterdir()} - used)
    looked = look_at_all(paths, f"checking COCO {name}", faults, memory, threads)
    for kind, image in entries:
        real = looked.get(root / name / image["file_name"])
        if real and (real.width, real.height) != (image["width"], image["height"]):
            where = f"{annotation_file(root, name, kind)}: image {image['id']}"
            stated = f"{image['width']}x{image['height']}"
            faults.add("wrong sizes", f"{where}: stated as {stated} px, the file has {real.width}x{real.height} px")
    return looked


def _check_all_annotations(section: dict, root: Path, faults: ErrorList) -> dict[str, dict]:
    """Check all annotation files of the split; returns official name -> kind -> content."""
    contents = {name: _check_annotations(root, name, faults) for name in NAMES.values()}
    if all("instances" in content for content in contents.values()):
        _check_classes(root, contents, faults)
    if section["split"] == "karpathy":
        lists = [(name, image) for name in contents for image in next(iter(contents[name].values()))["images"]]
        known = {(name, image["file_name"]): image["id"] for name, image in lists}
        karpathy.check(root, known, "root" in section, faults)
    faults.raise_if_any()
    return contents


def _images(root: Path, split: str, part: str, contents: dict[str, dict]) -> list[Captioned]:
    """The images of a part; of a set without captions, those that its objects are listed for."""
    if split == "karpathy" or "captions" in contents[NAMES[part]]:
        return captioned(root, split, part)
    images = sorted(contents[NAMES[part]]["instances"]["images"], key=lambda image: image["id"])
    return [Captioned(root / NAMES[part] / image["file_name"], image["id"], []) for image in images]


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`; return what it has found. Raises UserError with every fault found.

    `remember`: the file that keeps what is known of its images; without it, all are looked at. `threads`: on how
    many cores; None: on all.
    """
    root, faults, split = Path(root), ErrorList(), section.get("split")
    if split not in SPLITS:
        raise UserError(f"data.coco.split: must be one of {', '.join(SPLITS)}, not {split!r}")
    require_dir(root, "the COCO folder")
    contents, memory = _check_all_annotations(section, root, faults), ImageCache(remember, root)
    looked = {}
    for name in contents:
        looked |= _look_at_part(root, name, contents[name], faults, memory, threads)
    kinds = list(contents["train2014"])
    parts = {part: _images(root, split, part, contents) for part in SPLITS[split]}
    train, test = (
        {image.path: looked[image.path] for image in parts[part] if image.path in looked} for part in ("train", "test")
    )
    official = len(parts["test"]) == OFFICIAL_IMAGES["val2014"] if split == "2014" else "root" in section
    check_split_overlap(train, test, official, faults)
    faults.raise_if_any()
    files = [annotation_file(root, name, kind) for name in contents for kind in kinds]
    files += [karpathy.split_file(root)] if split == "karpathy" else []
    objects = {name: content["instances"] for name, content in contents.items() if "instances" in kinds}
    categories = objects["train2014"]["categories"] if objects else []
    for name, content in objects.items():
        seen = {instance["category_id"] for instance in content["annotations"]}
        absent = [category["name"] for category in categories if category["id"] not in seen]
        warn_of_absent(annotation_file(root, name, "instances"), absent, tested=name == NAMES["test"])
    counted = ("images", "captions") if split == "karpathy" or "captions" in kinds else ("images",)
    return DatasetInfo(
        set=DATASET.name,
        root=str(root),
        split=split,
        fingerprint=fingerprint(root, looked, {path: sha256(path) for path in files}),
        classes=[category["name"] for category in categories],
        kinds=sorted({*kinds, *(["captions"] if split == "karpathy" else [])}),
        with_object=len({each["image_id"] for each in objects["train2014"]["annotations"]}) if objects else 0,
        counts={
            f"{part}_{what}": count
            for part, images in parts.items()
            for what, count in (("images", len(images)), ("captions", sum(len(image.captions) for image in images)))
            if what in counted
        },
    )


main = command_line(check)

if __name__ == "__main__":
    main()
