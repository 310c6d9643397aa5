"""An evaluator that knows nothing of this project: the boxes of predictions.json as COCO's format defines them (x, y,
width, height from the image's corner), the truth from the files of the data set, in plain Python."""

import json
import xml.etree.ElementTree as ElementTree
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

Box = tuple[float, float, float, float]  # left, top, right, bottom
ELEVEN = [level / 10 for level in range(11)]


def overlap(one: Box, other: Box, pixel: int = 0) -> float:
    """Intersection over union; `pixel` 1 is the devkit's, whose boxes hold their last pixel."""
    width, height = (min(one[k + 2], other[k + 2]) - max(one[k], other[k]) + pixel for k in (0, 1))
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0] + pixel) * (box[3] - box[1] + pixel) for box in (one, other)]
    return shared / (sum(areas) - shared)


def continuous(entry: dict) -> Box:
    """A detection as the format says."""
    x, y, width, height = entry["bbox"]
    return x, y, x + width, y + height


def devkit(entry: dict) -> Box:
    """The same for VOC's devkit: pixels from 1 to the last one."""
    x, y, right, bottom = continuous(entry)
    return x + 1, y + 1, right, bottom


def precisions(hits: list[bool], objects: int) -> Callable[[float], float]:
    """The best precision at a recall or beyond."""
    curve, right = [], 0
    for place, hit in enumerate(hits, start=1):
        right += hit
        curve.append((right / objects, right / place))
    return lambda level: max((p for r, p in curve if r >= level - 1e-12), default=0.0)


def voc(predictions: Path, root: Path, classes: list[str], as_devkit: bool) -> float:
    """VOC07's mAP in percent, read in either of the two ways."""
    truth, names = defaultdict(list), (root / "VOC2007/ImageSets/Main/test.txt").read_text().split()
    for name in names:
        for one in ElementTree.parse(root / f"VOC2007/Annotations/{name}.xml").iter("object"):
            left, top, right, bottom = (int(one.findtext(f"bndbox/{key}")) for key in ("xmin", "ymin", "xmax", "ymax"))
            box = (left, top, right, bottom) if as_devkit else (left - 1, top - 1, right, bottom)
            truth[int(name), one.findtext("name")].append((box, one.findtext("difficult") == "1"))
    found, results = json.loads(predictions.read_text()), []
    for number, name in enumerate(classes, start=1):
        objects = sum(not hard for (_, what), each in truth.items() if what == name for _, hard in each)
        hits, taken = [], set()
        for one in sorted((one for one in found if one["category_id"] == number), key=lambda one: -one["score"]):
            mine = devkit(one) if as_devkit else continuous(one)
            here = truth[one["image_id"], name]
            best = max(range(len(here)), key=lambda k: overlap(mine, here[k][0], as_devkit), default=None)
            near = best is not None and overlap(mine, here[best][0], as_devkit) >= 0.5
            if near and here[best][1]:
                continue  # difficult
            hits.append(near and (one["image_id"], best) not in taken)
            taken |= {(one["image_id"], best)} if near else set()
        if objects:
            precision = precisions(hits, objects)
            results.append(sum(map(precision, ELEVEN)) / 11)
    return 100 * sum(results) / len(results)


def coco(predictions: Path, root: Path) -> tuple[float, float]:
    """COCO's AP and AP50 in percent, for a set without crowds."""
    truth = json.loads((root / "annotations/instances_val2014.json").read_text())
    found, objects = json.loads(predictions.read_text()), defaultdict(list)
    for one in truth["annotations"]:
        assert not one["iscrowd"]
        objects[one["image_id"], one["category_id"]].append(continuous(one))
    table = []
    for category in {one["category_id"] for one in truth["annotations"]}:
        mine = [one for one in found if one["category_id"] == category]
        table.append([coco_class(sorted(mine, key=lambda one: -one["score"]), objects, category, 0.5 + 0.05 * step)
                      for step in range(10)])  # fmt: skip
    return 100 * sum(map(sum, table)) / 10 / len(table), 100 * sum(row[0] for row in table) / len(table)


def coco_class(found: list[dict], objects: dict, category: int, least: float) -> float:
    """The average precision of a class at one threshold: a detection takes the free object that it overlaps most."""
    taken, hits = set(), []
    for one in found:
        here = objects[one["image_id"], category]
        free = [k for k in range(len(here)) if (one["image_id"], k) not in taken]
        best = max(free, key=lambda k: overlap(continuous(one), here[k]), default=None)
        hits.append(best is not None and overlap(continuous(one), here[best]) >= least - 1e-10)
        taken |= {(one["image_id"], best)} if hits[-1] else set()
    precision = precisions(hits, sum(len(each) for (_, what), each in objects.items() if what == category))
    return sum(precision(level / 100) for level in range(101)) / 101
