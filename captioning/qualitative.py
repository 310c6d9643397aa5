"""The same photos with each backbone's captions, for the report.

Six photos, evenly spread over the test images: nobody chose them. CIDEr is each caption's own, from the run's evidence.
"""

import base64
from pathlib import Path
from typing import Any

from captioning.evaluate import read_predictions
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import open_regular, write_hashed
from workflow.data import coco
from workflow.reporting.figures import RECORDS, jpeg, photo, records, spread
from workflow.training.per_image import parse

PHOTOS, SIDE = 6, 240  # how many, and px of the longer side at most


def examples(runs: dict[str, Path], check: DatasetInfo) -> dict[str, Any]:
    """`records`: what it is made of (workflow.reporting.figures); `total`: how many test images there are; `photos`:
    image_id, photo (JPEG, base64), references, and for each backbone of `runs` (name to the run's folder) its caption
    with its CIDEr in percent."""
    test = coco.read(check, "test")
    said = {name: captions(folder) for name, folder in runs.items()}
    chosen = [test[place] for place in spread(len(test), PHOTOS)]
    return {
        RECORDS: records(runs),
        "total": len(test),
        "photos": [
            {
                "image_id": image.image_id,
                "photo": base64.b64encode(jpeg(photo(image.path, SIDE))).decode(),
                "references": image.captions,
                "captions": [{"backbone": name, **of(image.image_id, runs[name], said[name])} for name in runs],
            }
            for image in chosen
        ],
    }


def captions(folder: Path) -> dict[int, dict[str, Any]]:
    """Image id to the caption of a run and its CIDEr; UserError if one of its files is not what it should be."""
    file = folder / "per_image.npz"
    try:
        with open_regular(file) as opened:
            arrays = parse(file, opened.read())
        cider = dict(zip(arrays["images"].tolist(), arrays["CIDEr"].tolist(), strict=True))
    except (OSError, KeyError, ValueError, TypeError) as error:
        raise UserError(f"{file}: holds no CIDEr of each image: {error}") from None
    entries = read_predictions(folder / "predictions.json")
    return {
        entry["image_id"]: {"caption": entry["caption"], "CIDEr": round(cider[entry["image_id"]], 1)}
        for entry in entries
        if entry["image_id"] in cider
    }


def of(image_id: int, folder: Path, said: dict[int, dict[str, Any]]) -> dict[str, Any]:
    """What is said of one image; UserError if nothing is."""
    if image_id not in said:
        raise UserError(f"{folder}: its predictions and evidence have no caption of image {image_id}")
    return said[image_id]


def make(runs: dict[str, Path], check: DatasetInfo, out: Path) -> None:
    """Write the examples of runs (backbone to folder) as JSON."""
    found = examples(runs, check)
    write_hashed(out, found)
    print(f"captions: {len(found['photos'])} photos, {len(runs)} backbones: {out}")
