"""MS-COCO 2014 in its official layout: ROOT/annotations/{captions,instances}_*.json, ROOT/{train,val}2014/.

Split "2014" trains on train2014 and tests on val2014, as the paper's reference code does."""

import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from workflow.data.checking import (
    Faults,
    Looked,
    box_fault,
    command_line,
    fingerprint,
    look_at_all,
    need_folder,
    refuse_shared,
)
from workflow.training.errors import UserError
from workflow.training.files import read_json, sha256

# The one place that says which official files a split is made of: config value -> part -> official name.
SPLITS = {"2014": {"train": "train2014", "test": "val2014"}}
OFFICIAL_IMAGES = {"train2014": 82_783, "val2014": 40_504}


class Captioned(NamedTuple):
    """One image with its captions, in the order of the annotation file."""

    path: Path
    image_id: int
    captions: list[str]


def parts(split: str) -> dict[str, str]:
    """{"train": official name, "test": official name} of a split; UserError if there is no such split."""
    if split not in SPLITS:
        raise UserError(f"data.coco.split: must be one of {', '.join(SPLITS)}, not {split!r}")
    return SPLITS[split]


def annotation_file(root: str | Path, name: str, kind: str) -> Path:
    """The annotation file of an official part: kind is `captions` or `instances`."""
    return Path(root) / "annotations" / f"{kind}_{name}.json"


def read(check: dict, part: str) -> list[Captioned]:
    """The images of part `train` or `test` with their captions, by image id; `check` is CHECK.json's content."""
    name = parts(check["split"])[part]
    folder = Path(check["root"]) / name
    content = read_json(annotation_file(check["root"], name, "captions"))
    found = {image["id"]: Captioned(folder / image["file_name"], image["id"], []) for image in content["images"]}
    for annotation in content["annotations"]:
        found[annotation["image_id"]].captions.append(annotation["caption"])
    return [found[image_id] for image_id in sorted(found)]


def _load(path: Path, keys: dict[str, tuple[str, ...]]) -> dict:
    """An annotation file whose lists hold objects with the given keys; UserError naming what is not there."""
    if not path.is_file():
        raise UserError(f"{path}: the annotation file is missing")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    for name, needed in keys.items():
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise UserError(f"{path}: the list '{name}' is missing")
        for number, entry in enumerate(content[name]):
            missing = [key for key in needed if not isinstance(entry, dict) or key not in entry]
            if missing:
                raise UserError(f"{path}: {name}[{number}] has no '{missing[0]}'")
    return content


def _check_ids(path: Path, name: str, entries: list[dict], faults: Faults) -> None:
    """No id, and no file name, stands twice in a list."""
    for key in ("id", "file_name"):
        counts = Counter(entry[key] for entry in entries if key in entry)
        for value in (value for value, count in counts.items() if count > 1):
            faults.add(f"repeated {key}", f"{path}: {key} {value} stands {counts[value]} times in '{name}'")


def _check_images(path: Path, folder: Path, images: list[dict], faults: Faults) -> None:
    """The file lists images, and each of them exists, once."""
    if not images:
        raise UserError(f"{path}: the split is empty: it lists no image")
    _check_ids(path, "images", images, faults)
    for image in images:
        if not (folder / image["file_name"]).is_file():
            faults.add("absent images", f"{path}: image {image['id']}: {folder / image['file_name']} is missing")


def _check_captions(path: Path, content: dict, faults: Faults) -> None:
    """Every caption has words and an image of the list, every image a caption."""
    _check_ids(path, "annotations", content["annotations"], faults)
    bare = {image["id"] for image in content["images"]}
    known = frozenset(bare)
    for caption in content["annotations"]:
        where = f"{path}: caption {caption['id']}"
        if caption["image_id"] not in known:
            faults.add("captions of unknown images", f"{where}: image {caption['image_id']} is not in 'images'")
        elif not isinstance(caption["caption"], str) or not caption["caption"].strip():
            faults.add("empty captions", f"{where} of image {caption['image_id']} is empty")
        bare.discard(caption["image_id"])
    for image_id in sorted(bare):
        faults.add("images without a caption", f"{path}: image {image_id} has no caption")


def _check_instances(path: Path, content: dict, official: bool, faults: Faults) -> None:
    """Every instance has a listed image and category, and a box on the image."""
    sizes = {image["id"]: (image["width"], image["height"]) for image in content["images"]}
    categories = {category["id"] for category in content["categories"]}
    for instance in content["annotations"]:
        where = f"{path}: instance {instance['id']}"
        if instance["image_id"] not in sizes:
            faults.add("instances of unknown images", f"{where}: image {instance['image_id']} is not in 'images'")
            continue
        if instance["category_id"] not in categories:
            category = instance["category_id"]
            faults.add("unknown classes", f"{where}: category {category} is not in the class list 'categories'")
        try:
            x, y, width, height = map(float, instance["bbox"])
        except (TypeError, ValueError):
            faults.add("bad boxes", f"{where}: bbox must be [x, y, width, height], not {instance['bbox']!r}")
            continue
        # The official files hold a few boxes of zero height: known, and skipped by every reader.
        if official and min(width, height) == 0:
            continue
        if fault := box_fault((x, y, x + width, y + height), 0, *sizes[instance["image_id"]]):
            faults.add("bad boxes", f"{where} of image {instance['image_id']}: {fault}")
    _check_ids(path, "annotations", content["annotations"], faults)


def _check_annotations(root: Path, name: str, faults: Faults) -> dict[str, dict]:
    """Check the two annotation files of an official part; returns their contents by kind."""
    folder = need_folder(root / name, f"the folder {name}")
    image, contents = ("id", "file_name", "width", "height"), {}
    for kind, needed in (
        ("captions", {"annotations": ("id", "image_id", "caption")}),
        ("instances", {"annotations": ("id", "image_id", "category_id", "bbox"), "categories": ("id", "name")}),
    ):
        path = annotation_file(root, name, kind)
        contents[kind] = _load(path, {"images": image, **needed})
        _check_images(path, folder, contents[kind]["images"], faults)
    _check_captions(annotation_file(root, name, "captions"), contents["captions"], faults)
    official = len(contents["instances"]["images"]) == OFFICIAL_IMAGES.get(name)
    _check_instances(annotation_file(root, name, "instances"), contents["instances"], official, faults)
    return contents


def _check_parts(root: Path, names: dict[str, str], contents: dict[str, dict], faults: Faults) -> None:
    """Training and test have the same categories and no image, by id, in common."""
    ids = {part: {image["id"] for image in content["captions"]["images"]} for part, content in contents.items()}
    test = annotation_file(root, names["test"], "captions")
    for image_id in sorted(ids["train"] & ids["test"]):
        faults.add("images in both training and test", f"{test}: image {image_id} is also in {names['train']}")
    if contents["train"]["instances"]["categories"] != contents["test"]["instances"]["categories"]:
        files = [annotation_file(root, names[part], "instances") for part in ("test", "train")]
        faults.add("differing classes", "{}: its 'categories' are not those of {}".format(*files))


def _look_at_part(root: Path, name: str, contents: dict[str, dict], faults: Faults) -> dict[Path, Looked]:
    """Decode every image of a part and compare it with the size that the annotation files state."""
    entries = [(kind, image) for kind, content in contents.items() for image in content["images"]]
    paths = sorted({root / name / image["file_name"] for _, image in entries})
    looked = look_at_all(paths, f"checking COCO {name}", faults)
    for kind, image in entries:
        real = looked.get(root / name / image["file_name"])
        if real and (real.width, real.height) != (image["width"], image["height"]):
            where = f"{annotation_file(root, name, kind)}: image {image['id']}"
            stated = f"{image['width']}x{image['height']}"
            faults.add("wrong sizes", f"{where}: stated as {stated} px, the file has {real.width}x{real.height} px")
    return looked


def check(section: dict, root: Path) -> dict:
    """Check the set at `root`; return what CHECK.json holds. Raises UserError with every fault found."""
    root, faults, names = Path(root), Faults(), parts(section["split"])
    need_folder(root, "the COCO folder")
    contents = {part: _check_annotations(root, name, faults) for part, name in names.items()}
    _check_parts(root, names, contents, faults)
    faults.raise_if_any()
    looked = {part: _look_at_part(root, name, contents[part], faults) for part, name in names.items()}
    refuse_shared(looked["train"], looked["test"], len(looked["test"]) == OFFICIAL_IMAGES.get(names["test"]), faults)
    faults.raise_if_any()
    files = [annotation_file(root, name, kind) for name in names.values() for kind in ("captions", "instances")]
    categories = sorted(contents["train"]["instances"]["categories"], key=lambda category: category["id"])
    return {
        "set": "coco",
        "root": str(root),
        "split": section["split"],
        "fingerprint": fingerprint(root, looked["train"] | looked["test"], {path: sha256(path) for path in files}),
        "classes": [category["name"] for category in categories],
        "counts": {
            f"{part}_{what}": len(content["captions"][key])
            for part, content in contents.items()
            for what, key in (("images", "images"), ("captions", "annotations"))
        },
    }


main = command_line(check)

if __name__ == "__main__":
    main()
