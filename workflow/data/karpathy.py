"""Karpathy's split of COCO 2014 (Karpathy and Fei-Fei, CVPR 2015): ROOT/annotations/dataset_coco.json.

It takes most of val2014 to training (`restval`) and keeps 5,000 images each for validation and test. Trained on train
and restval, tested on test; the captions are its own `raw` sentences."""

from collections import Counter
from pathlib import Path
from typing import Any

from workflow.data.sets.coco import DATASET
from workflow.data.validation.errors import FILE, LIST, TEXT, WHOLE, ErrorList, load_lists, text_error

PARTS = {"train": ("train", "restval"), "val": ("val",), "test": ("test",)}
PUBLISHED = DATASET.counts["karpathy"]
OFFICIAL = {"train": PUBLISHED["train_images"], "val": 5_000, "test": PUBLISHED["test_images"]}
NEEDED = {"filepath": FILE, "filename": FILE, "cocoid": WHOLE, "split": TEXT, "sentences": LIST}


def split_file(root: str | Path) -> Path:
    """Where Karpathy's file lies."""
    return Path(root) / "annotations" / "dataset_coco.json"


def images(root: str | Path, part: str) -> list[dict[str, Any]]:
    """The entries of part `train`, `val` or `test`, in the file's order."""
    entries = load_lists(split_file(root), {"images": NEEDED})["images"]
    return [image for image in entries if image["split"] in PARTS[part]]


def check(root: Path, known: dict[tuple[str, str], int], counted: bool, faults: ErrorList) -> None:
    """Every entry is an image of the official parts, once, with captions; `counted`: as many as there must be.

    `known`: (train2014 or val2014, file name) -> image id, as the official annotation files have them.
    """
    path = split_file(root)
    entries = load_lists(path, {"images": NEEDED})["images"]
    parts = {split: part for part, splits in PARTS.items() for split in splits}
    counts = Counter(parts.get(entry["split"]) for entry in entries)
    for number, entry in enumerate(entries):
        for fault in _faults_of(entry, known, parts):
            faults.add(
                "bad entries of Karpathy's split", f"{path}: images[{number}] (cocoid {entry['cocoid']}): {fault}"
            )
    for image_id, times in Counter(entry["cocoid"] for entry in entries).items():
        if times > 1:
            faults.add("images listed twice", f"{path}: cocoid {image_id} stands {times} times in 'images'")
    for part, right in OFFICIAL.items():
        if counted and counts[part] != right:
            splits = " and ".join(PARTS[part])
            faults.add("wrong counts", f"{path}: {splits} must be {right:,} images, not {counts[part]:,}")
        elif not counts[part] and part != "val":
            faults.add("empty splits", f"{path}: no image is in {' or '.join(PARTS[part])}")


def _faults_of(entry: dict[str, Any], known: dict[tuple[str, str], int], parts: dict[str, str]) -> list[str]:
    faults, place = [], (entry["filepath"], entry["filename"])
    if entry["split"] not in parts:
        faults.append(f"its split must be one of {', '.join(parts)}, not {entry['split']!r}")
    if place not in known:
        faults.append(f"{place[0]}/{place[1]} is not in the official annotation files")
    elif known[place] != entry["cocoid"]:
        faults.append(f"{place[0]}/{place[1]} has id {known[place]} in the official annotation files")
    if not entry["sentences"]:
        faults.append("it has no caption")
    raw = [sentence.get("raw", "") if isinstance(sentence, dict) else None for sentence in entry["sentences"]]
    return faults + [f"a caption (`raw`) {fault}" for text in raw if (fault := text_error(text))]
