"""Make a demo data set in an official layout: ImageNet folders, VOCdevkit (2007 and 2012) or COCO 2014.

Image i of a split follows from (the spec's seed, the set, the split, i) alone: the same spec gives the same
bytes, and a larger split begins with the smaller one. The folder appears under its name only when complete."""

import argparse
import json
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from xml.sax.saxutils import escape

import numpy as np
from PIL import Image
from tqdm import tqdm

from workflow.data.casts import Shapes, cast, class_names
from workflow.data.checking import of_system
from workflow.data.phrases import captions
from workflow.data.scenes import Scene, Thing, portrait, scene
from workflow.data.shapes import SHAPES
from workflow.training.errors import UserError, door
from workflow.training.rng import rng

# As in the real set, category ids are neither contiguous nor start at the label.
COCO_CATEGORY_IDS = (1, 2, 3, 5, 6, 9, 11, 13, 14, 17, 18, 20)


def _save(path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(path, "JPEG", quality=92)


def _progress(what: str, count: int) -> Iterable[int]:
    return tqdm(range(count), desc=f"drawing {what}", unit="img")


def _imagenet(root: Path, spec: dict) -> None:
    """{train,val}/<wnid>/<name>.JPEG and the class names in LOC_synset_mapping.txt."""
    shapes = Shapes(spec["classes"])
    names = shapes.names
    wnids = [f"n{label + 1:08d}" for label in range(len(names))]
    for split in ("train", "val"):
        for wnid in wnids:
            (root / split / wnid).mkdir(parents=True)
        for index in _progress(f"ImageNet {split}", spec[split]):
            label = index % len(names)
            draw = rng("synthetic", "imagenet", spec["seed"], split, index)
            name = f"{wnids[label]}_{index // len(names)}" if split == "train" else f"ILSVRC2012_val_{index + 1:08d}"
            pixels = portrait(label, shapes, spec["size"], draw)
            _save(root / split / wnids[label] / f"{name}.JPEG", pixels)
    lines = [f"{wnid} {name}\n" for wnid, name in zip(wnids, names, strict=True)]
    (root / "LOC_synset_mapping.txt").write_text("".join(lines))


def _voc_object(thing: Thing) -> str:
    """One <object>; VOC boxes are 1-based and inclusive."""
    x0, y0, x1, y1 = thing.box
    return (
        f"\t<object>\n\t\t<name>{escape(thing.look.name)}</name>\n\t\t<pose>Unspecified</pose>\n"
        f"\t\t<truncated>{int(thing.truncated)}</truncated>\n\t\t<difficult>{int(thing.difficult)}</difficult>\n"
        f"\t\t<bndbox>\n\t\t\t<xmin>{x0 + 1}</xmin>\n\t\t\t<ymin>{y0 + 1}</ymin>\n"
        f"\t\t\t<xmax>{x1}</xmax>\n\t\t\t<ymax>{y1}</ymax>\n\t\t</bndbox>\n\t</object>\n"
    )


def _voc_xml(year: str, name: str, picture: Scene) -> str:
    height, width, depth = picture.pixels.shape
    return (
        f"<annotation>\n\t<folder>VOC{year}</folder>\n\t<filename>{name}.jpg</filename>\n"
        f"\t<source>\n\t\t<database>synthetic scenes</database>\n\t</source>\n"
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>{depth}</depth>\n"
        f"\t</size>\n\t<segmented>0</segmented>\n{''.join(map(_voc_object, picture.things))}</annotation>\n"
    )


def _voc_split(root: Path, spec: dict, split: str, year: str, names: list[str]) -> None:
    folder = root / f"VOC{year}"
    for sub in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    shown = cast(spec, "val" if split == "test07" else "train")
    for index in _progress(f"VOC{year} {split}", len(names)):
        picture = scene(shown, spec["size"], rng("synthetic", "voc", spec["seed"], split, index))
        _save(folder / "JPEGImages" / f"{names[index]}.jpg", picture.pixels)
        (folder / "Annotations" / f"{names[index]}.xml").write_text(_voc_xml(year, names[index], picture))
    lists = {"test": names} if split == "test07" else {"trainval": names, "train": names[::2], "val": names[1::2]}
    for name, members in lists.items():
        (folder / "ImageSets/Main" / f"{name}.txt").write_text("".join(f"{member}\n" for member in members))


def _voc(root: Path, spec: dict) -> None:
    """VOC2007 (trainval and test, interleaved in one numbering) and VOC2012 (trainval)."""
    _voc_split(root, spec, "trainval07", "2007", [f"{2 * i + 1:06d}" for i in range(spec["trainval07"])])
    _voc_split(root, spec, "test07", "2007", [f"{2 * i + 2:06d}" for i in range(spec["test07"])])
    _voc_split(root, spec, "trainval12", "2012", [f"2008_{i + 1:06d}" for i in range(spec["trainval12"])])


def _coco_instance(thing: Thing, number: int, image_id: int, limit: tuple[int, int]) -> dict:
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
    for index in _progress(f"COCO {split}2014", spec[split]):
        draw = rng("synthetic", "coco", spec["seed"], split, index)
        picture = scene(shown, spec["size"], draw)
        image_id = 7 * index + (9 if split == "train" else 12)  # sparse, and never the same in both splits
        name = f"COCO_{split}2014_{image_id:012d}.jpg"
        _save(root / f"{split}2014" / name, picture.pixels)
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


def _coco(root: Path, spec: dict) -> None:
    """{train,val}2014/ and annotations/: {instances,captions}_{train,val}2014.json and Karpathy's split of them."""
    for split in ("train", "val"):
        _coco_split(root, spec, split)
    _karpathy(root)


SETS = {
    "imagenet": (_imagenet, ("train", "val")),
    "voc": (_voc, ("trainval07", "trainval12", "test07")),
    "coco": (_coco, ("train", "val")),
}


def _checked(name: str, spec: dict) -> dict:
    """The spec if it has exactly its keys, whole numbers in range; UserError naming the key otherwise."""
    if not isinstance(spec, dict):
        raise UserError(f"synthetic {name}: must be a mapping, not {spec!r:.60}")
    made_of = {} if "photos" in spec and name != "imagenet" else {"classes": 2}
    least = {**made_of, **dict.fromkeys(SETS[name][1], 1), "size": 32, "seed": 0}
    for key in sorted({*least, *(() if made_of else ("photos",))} ^ spec.keys()):
        raise UserError(f"synthetic {name}: key '{key}' is {'missing' if key in least else 'unknown'}")
    for key, low in least.items():
        if isinstance(spec[key], bool) or not isinstance(spec[key], int) or spec[key] < low:
            raise UserError(f"synthetic {name}: {key} must be a whole number of at least {low}, not {spec[key]!r}")
    if spec.get("classes", 0) > len(SHAPES):
        raise UserError(f"synthetic {name}: classes must be at most {len(SHAPES)}, not {spec['classes']}")
    if not made_of and len(class_names(spec)) > len(COCO_CATEGORY_IDS):
        raise UserError(f"synthetic {name}: {spec['photos']} has more than {len(COCO_CATEGORY_IDS)} classes")
    return spec


def make(name: str, spec: dict, out: str | Path) -> None:
    """Make set `name` (imagenet, voc or coco) at `out`. Raises UserError for a bad spec or if `out` has content."""
    out, spec = Path(out), _checked(name, spec)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out} exists already; remove it to make the data again")
    out.parent.mkdir(parents=True, exist_ok=True)
    temporary = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        temporary.mkdir()
        SETS[name][0](temporary, spec)
        temporary.rename(out)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@door
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("set", choices=SETS)
    parser.add_argument("--spec", required=True, type=json.loads, help="the `synthetic:` mapping, as JSON")
    parser.add_argument("--out", required=True, type=Path)
    args = parser.parse_args()
    with of_system(args.out):
        make(args.set, args.spec, args.out)


if __name__ == "__main__":
    main()
