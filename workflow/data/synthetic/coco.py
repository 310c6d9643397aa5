"""A synthetic set of objects and captions in the layout of COCO 2014, with Karpathy's split of it."""

import json
from pathlib import Path

import numpy as np

from workflow.core.rng import rng
from workflow.data.synthetic.caption_templates import captions
from workflow.data.synthetic.scenes import SceneObject, progress, save, scene
from workflow.data.synthetic.sprites import cast

# As in the real set, category ids are neither contiguous nor start at the label.
COCO_CATEGORY_IDS = (1, 2, 3, 5, 6, 9, 11, 13, 14, 17, 18, 20)


def _coco_instance(thing: SceneObject, number: int, image_id: int, limit: tuple[int, int]) -> dict:
    """One instance annotation; the polygon is clamped to the picture."""
    x0, y0, x1, y1 = thing.box
    polygon = np.clip(thing.points, 0, limit).round(2).ravel().tolist()
    return {
        "id": number,
        "image_id": image_id,
        "category_id": COCO_CATEGORY_IDS[thing.label],
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": thing.area,
        "segmentation": [polygon],
        "iscrowd": 0,
    }


def _coco_split(root: Path, spec: dict, split: str) -> None:
    (root / f"{split}2014").mkdir(parents=True)
    (root / "annotations").mkdir(exist_ok=True)
    images, instances, sentences = [], [], []
    shown = cast(spec, split)
    for index in progress(f"COCO {split}2014", spec[split]):
        draw = rng("synthetic", "coco", spec["seed"], split, index)
        picture = scene(shown, spec["size"], draw)
        image_id = 7 * index + (9 if split == "train" else 12)  # sparse, and never the same in both splits
        name = f"COCO_{split}2014_{image_id:012d}.jpg"
        save(root / f"{split}2014" / name, picture.pixels)
        height, width = picture.pixels.shape[:2]
        images.append({"id": image_id, "file_name": name, "height": height, "width": width})
        for k, thing in enumerate(picture.things):
            instances.append(_coco_instance(thing, 10 * image_id + k, image_id, (width, height)))
        for k, sentence in enumerate(captions(picture, draw)):
            sentences.append({"id": 10 * image_id + k, "image_id": image_id, "caption": sentence})
    categories = [
        {"id": number, "name": name, "supercategory": "shape"}
        for number, name in zip(COCO_CATEGORY_IDS, shown.names, strict=False)
    ]
    head = {"info": {"description": "synthetic scenes in the layout of COCO 2014", "year": 2014}, "licenses": []}
    for kind, body in (
        ("instances", {"images": images, "annotations": instances, "categories": categories}),
        ("captions", {"images": images, "annotations": sentences}),
    ):
        (root / "annotations" / f"{kind}_{split}2014.json").write_text(json.dumps({**head, **body}))


def _karpathy(root: Path) -> None:
    """annotations/dataset_coco.json: of val2014 every third image is for test, restval and val."""
    entries = []
    for name in ("val2014", "train2014"):
        content = json.loads((root / "annotations" / f"captions_{name}.json").read_text())
        said: dict[int, list[dict]] = {}
        for sentence in content["annotations"]:
            said.setdefault(sentence["image_id"], []).append({"raw": sentence["caption"], "sentid": sentence["id"]})
        for index, image in enumerate(content["images"]):
            entries.append(
                {
                    "filepath": name,
                    "filename": image["file_name"],
                    "cocoid": image["id"],
                    "split": "train" if name == "train2014" else ("test", "restval", "val")[index % 3],
                    "sentences": said[image["id"]],
                }
            )
    (root / "annotations/dataset_coco.json").write_text(json.dumps({"dataset": "coco", "images": entries}))


def make(root: Path, spec: dict) -> None:
    """{train,val}2014/ and annotations/: {instances,captions}_{train,val}2014.json and Karpathy's split of them."""
    for split in ("train", "val"):
        _coco_split(root, spec, split)
    _karpathy(root)
