"""The same test images with each backbone's detections next to the truth.

Six images, evenly spread over the test images: nobody chose them.
"""

import io
import textwrap
from array import array
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from detection.coco_results import stream
from detection.operating_point import best_f1_score
from detection.task import RESAMPLING
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import atomic
from workflow.data import coco, voc
from workflow.data.coco_files import annotation_file, load
from workflow.data.validation.decoding import open_image
from workflow.data.validation.voc_image_ids import voc_image_ids
from workflow.data.voc_lists import members
from workflow.reporting.figures import comment, jpeg, photo, records, spread
from workflow.reporting.statistics import per_image

IMAGES, SIDE = 6, 380  # how many, and px of the longer side at most
LARGE = 1280  # px of the longer side of a photo by itself
LEAST = 0.3  # a detection with a lower score is not drawn, if none of the run finds anything
HIT = 0.5  # intersection over union with an object of its class, from which a detection is right
CELL, GAP, HEAD, DPI = 2.0, 0.08, 0.3, 110  # inches: longer side of a photo, space, height of the names; px an inch
LINE, LETTER = 0.17, 0.1  # inches of the names: a further line, and a letter on average
OBJECT, RIGHT, WRONG = "#ffffff", "#37d67a", "#ff7a59"  # truth, a detection that is right, one that is not

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Thing:
    """An object or a detection: x0, y0, x1, y1 in px of the original image. `sure` is False for difficult objects and
    crowds, and for detections that are wrong; `score` is None for objects."""

    name: str
    box: Box
    sure: bool
    score: float | None = None

    @property
    def label(self) -> str:
        """What is written at the box."""
        return self.name if self.score is None else f"{self.name} {self.score:.2f}"


@dataclass(frozen=True)
class Scene:
    """A test image: its file, its name, the id that predictions call it by, and its objects."""

    path: Path
    name: str
    image_id: int
    truth: list[Thing]


def scenes(check: DatasetInfo) -> tuple[list[Scene], dict[int, str]]:
    """The chosen test images of a checked set, and the names of its categories by their id in predictions."""
    return {"voc": voc_scenes, "coco": coco_scenes}[check.set](check)


def voc_scenes(check: DatasetInfo) -> tuple[list[Scene], dict[int, str]]:
    """From VOC2007 test. The devkit counts pixels from 1."""
    root, found = check.root, []
    images = members(root, "test07")
    names, ids = list(images), voc_image_ids(list(images))
    for place in spread(len(names), IMAGES):
        name = names[place]
        objects = voc.read(voc.annotation_path(root, "test07", name), images[name]).objects
        boxes = [(what, voc.whole_pixels(box), difficult) for what, box, difficult in objects]
        truth = [Thing(what, (x0 - 1, y0 - 1, x1, y1), not difficult) for what, (x0, y0, x1, y1), difficult in boxes]
        found.append(Scene(images[name], name, ids[place], truth))
    return found, dict(enumerate(check.classes, start=1))


def coco_scenes(check: DatasetInfo) -> tuple[list[Scene], dict[int, str]]:
    """From val2014 of a set in COCO's layout, by image id."""
    root, name = Path(check.root), coco.NAMES["test"]
    content = load(annotation_file(root, name, "instances"), root / name, "instances")
    categories = {category["id"]: category["name"] for category in content["categories"]}
    images, found = sorted(content["images"], key=lambda image: image["id"]), []
    for image in (images[place] for place in spread(len(images), IMAGES)):
        truth = [
            Thing(categories[one["category_id"]], corners(one["bbox"]), not one.get("iscrowd"))
            for one in content["annotations"]
            if one["image_id"] == image["id"]
        ]
        found.append(Scene(root / name / image["file_name"], str(image["id"]), image["id"], truth))
    return found, categories


def corners(bbox: list[float]) -> Box:
    """COCO's x, y, width, height as x0, y0, x1, y1."""
    x, y, width, height = bbox
    return x, y, x + width, y + height


def detections(folder: Path, found: list[Scene], names: dict[int, str]) -> tuple[float, list[list[Thing]]]:
    """The score at which a run's F1 is highest, and what it detects on each scene with that score or more, best first;
    UserError if a file of it is broken."""
    file, numbers, scores = folder / "predictions.json", {scene.image_id: [] for scene in found}, array("d")
    try:
        for one in stream(file):
            scores.append(one["score"])
            if one["image_id"] in numbers:
                thing = Thing(names[one["category_id"]], corners(one["bbox"]), False, one["score"])
                numbers[one["image_id"]].append(thing)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{file}: not COCO detection results: {type(error).__name__}: {error}") from None
    evidence = per_image.read(folder / "per_image.npz", (RESAMPLING,))
    if evidence is None:
        raise UserError(f"{folder / 'per_image.npz'}: missing")
    best = best_f1_score(np.frombuffer(scores), evidence)
    least = LEAST if best is None else best
    drawn = [best_first(things, least) for things in numbers.values()]
    return least, [judged(things, scene.truth) for things, scene in zip(drawn, found, strict=True)]


def best_first(found: list[Thing], least: float) -> list[Thing]:
    """The detections of at least this score, best first. Scores are compared in fp32, as `per_image.npz` has them: the
    one that the threshold was taken from is among them."""
    return sorted((one for one in found if np.float32(one.score) >= np.float32(least)), key=lambda one: -one.score)


def judged(found: list[Thing], truth: list[Thing]) -> list[Thing]:
    """Detections, best first, with `sure` where each finds an object of its class that none before it found."""
    free, result = list(truth), []
    for one in found:
        hits = [(overlap(one.box, thing.box), n) for n, thing in enumerate(free) if thing.name == one.name]
        best, place = max(hits, default=(0.0, 0))
        if best >= HIT:
            free.pop(place)
        result.append(Thing(one.name, one.box, best >= HIT, one.score))
    return result


def overlap(one: Box, other: Box) -> float:
    """Intersection over union."""
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    shared = max(width, 0) * max(height, 0)
    areas = [(box[2] - box[0]) * (box[3] - box[1]) for box in (one, other)]
    return shared / (sum(areas) - shared) if shared else 0.0


def make(runs: dict[str, Path], check: DatasetInfo, out: Path) -> None:
    """Draw the figure of runs (backbone to folder) of one task."""
    found, names = scenes(check)
    shown = {name: detections(folder, found, names) for name, folder in runs.items()}
    columns = {f"{name} (score ≥ {least:.2f})": things for name, (least, things) in shown.items()}
    picture = draw(found, columns, SIDE, records(runs))
    with atomic(out) as temporary:
        temporary.write_bytes(picture)
    print(f"detections: {len(found)} images, {len(runs)} backbones, {len(picture) / 1e6:.2f} MB: {out}")


def draw(scenes: list[Scene], columns: dict[str, list[list[Thing]]], side: int, made_of: dict[str, str]) -> bytes:
    """`columns`: backbone to its detections on each scene. Photos are read with `side` px at most. The file says what
    it was `made_of` (workflow.reporting.figures)."""
    photos = [photo(scene.path, side) for scene in scenes]
    tall = [CELL * image.height / max(image.size) for image in photos]
    wide = max(CELL * image.width / max(image.size) for image in photos)
    shown = {"truth": [scene.truth for scene in scenes], **columns}
    names = ["\n".join(textwrap.wrap(name, max(1, int(wide / LETTER)))) for name in shown]
    head = HEAD + LINE * max(name.count("\n") for name in names)
    width, height = len(shown) * (wide + GAP) + GAP, head + sum(tall) + GAP * len(tall)
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    for place, name in enumerate(names):
        style = {"fontsize": 10, "weight": "bold", "va": "center", "ha": "left", "parse_math": False}
        text = figure.text((GAP + place * (wide + GAP)) / width, 1 - head / 2 / height, name, **style)
        text.set_fontsize(10 * min(1, wide * DPI / text.get_window_extent().width))
    top = height - head
    for row, (scene, image) in enumerate(zip(scenes, photos, strict=True)):
        original = Image.open(scene.path).size
        for place, things in enumerate(shown.values()):
            size = CELL * image.width / max(image.size), tall[row]
            left = GAP + place * (wide + GAP) + (wide - size[0]) / 2
            axes = figure.add_axes((left / width, (top - size[1]) / height, size[0] / width, size[1] / height))
            draw_cell(axes, image, original, things[row])
        top -= tall[row] + GAP
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return jpeg(Image.open(buffer).convert("RGB"), comment(made_of))


def draw_photo(path: Path, things: list[Thing]) -> bytes:
    """One photo with boxes, its longer side scaled to `LARGE` px, as JPEG."""
    image = photo(path, LARGE)
    with open_image(path) as file:
        original = file.size
    inches = [2 * CELL * side / max(image.size) for side in image.size]
    figure = Figure(figsize=inches, dpi=LARGE / (2 * CELL))
    draw_cell(figure.add_axes((0, 0, 1, 1)), image, original, things)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return jpeg(Image.open(buffer).convert("RGB"))


def draw_cell(axes: Axes, image: Image.Image, original: tuple[int, int], things: list[Thing]) -> None:
    """One photo with boxes: solid where sure, dashed where not."""
    axes.imshow(image, extent=(0, original[0], original[1], 0), interpolation="bilinear")
    axes.set_axis_off()
    for thing in things:
        x0, y0, x1, y1 = thing.box
        dashes = "-" if thing.sure else (0, (3, 2))
        for line in (
            {"edgecolor": "black", "linewidth": 2.6, "alpha": 0.4},
            {"edgecolor": colour(thing), "ls": dashes},
        ):
            axes.add_patch(Rectangle((x0, y0), x1 - x0, y1 - y0, **{"fill": False, "linewidth": 1.4, **line}))
    for thing in things:
        x0, y0, x1, _ = thing.box
        near = x0 < 0.6 * original[0]  # else the words end where the box does
        x, y = max(x0, 0) if near else min(x1, original[0]), max(y0, 0.06 * original[1])
        box = {"facecolor": colour(thing), "edgecolor": "none", "pad": 0.8, "alpha": 0.9}
        style = {"fontsize": 6, "va": "bottom", "ha": "left" if near else "right", "bbox": box, "parse_math": False}
        axes.text(x, y, thing.label, clip_on=True, **style)


def colour(thing: Thing) -> str:
    """Of the box and behind its words."""
    return OBJECT if thing.score is None else RIGHT if thing.sure else WRONG
