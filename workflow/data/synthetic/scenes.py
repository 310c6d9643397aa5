"""What is on a picture of the demo data: one object nearly filling it (ImageNet) or a scene of one to three."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from workflow.data.synthetic.shapes import background
from workflow.data.synthetic.sprites import Appearance, ObjectSet


@dataclass
class SceneObject:
    """One object; box is (x0, y0, x1, y1) in px, inside the image; area counts its visible pixels."""

    label: int
    look: Appearance
    points: np.ndarray
    box: tuple[int, int, int, int]
    area: int = 0
    visible: float = 1.0
    truncated: bool = False
    difficult: bool = False

    @property
    def side(self) -> int:
        """The longer side of the box in px."""
        return max(self.box[2] - self.box[0], self.box[3] - self.box[1])

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box in px."""
        return (self.box[0] + self.box[2]) / 2, (self.box[1] + self.box[3]) / 2


@dataclass
class Scene:
    """A picture, (height, width, 3) uint8 RGB, with what is on it, largest first; `kind` is what all of it are."""

    pixels: np.ndarray
    things: list[SceneObject]
    bright: bool
    kind: str


def _thing(label: int, look: Appearance, points: np.ndarray, width: int, height: int) -> SceneObject:
    """A thing whose box is what the picture shows of its polygon, in whole pixels."""
    limit = (width, height)
    low, high = points.min(axis=0), points.max(axis=0)
    box = (*np.clip(np.floor(low), 0, limit), *np.clip(np.ceil(high), 0, limit))
    truncated = bool((low < -1).any() or (high > np.array(limit) + 1).any())
    return SceneObject(label, look, points, tuple(int(edge) for edge in box), truncated=truncated)


def single_object_scene(label: int, cast: ObjectSet, size: int, rng: np.random.Generator) -> Scene:
    """One object nearly filling a picture of size x size px."""
    bright = bool(rng.random() < 0.5)
    canvas = background(size, size, bright, rng)
    look = cast.look(label, rng)
    points = look.outline(size * rng.uniform(0.65, 0.95), rng)
    points = points + size / 2 + rng.normal(0, 0.05, 2) * size
    thing = _thing(label, look, points, size, size)
    look.paint(canvas, points, rng)
    return Scene(np.clip(canvas, 0, 255).astype(np.uint8), [thing], bright, cast.things)


def _crowded(box: tuple, others: list[SceneObject]) -> bool:
    """Whether a box covers more than 5 % of another one, or another one of it."""
    for other in (thing.box for thing in others):
        width = min(box[2], other[2]) - max(box[0], other[0])
        height = min(box[3], other[3]) - max(box[1], other[1])
        smaller = min((b[2] - b[0]) * (b[3] - b[1]) for b in (box, other))
        if width > 0 and height > 0 and width * height > 0.05 * smaller:
            return True
    return False


def _place(label: int, cast: ObjectSet, width: int, height: int, others: list[SceneObject], rng: np.random.Generator):
    """A thing at a free place, or None after twenty tries; a few are tiny, hang over the edge or overlap."""
    look, tiny = cast.look(label, rng), rng.random() < 0.06
    over_edge, overlap = rng.random() < 0.15, rng.random() < 0.05
    for attempt in range(20):
        share = rng.uniform(0.12, 0.2) if tiny else rng.uniform(0.35, 0.75 if attempt < 5 else 0.45)
        points = look.outline(share * min(width, height), rng)
        extent = np.ptp(points, axis=0)
        margin = extent * (rng.uniform(0.2, 0.4) if over_edge else 0.5)
        low, high = margin, np.array([width, height]) - margin
        thing = _thing(label, look, points + rng.uniform(low, high), width, height)
        if overlap or not _crowded(thing.box, others):
            thing.difficult = tiny
            return thing
    return None


def scene(cast: ObjectSet, size: int, rng: np.random.Generator) -> Scene:
    """A picture with one to three things whose longer side is `size` px; 1:1, 4:3 or 3:4."""
    width, height = [(size, size), (size, size * 3 // 4), (size * 3 // 4, size)][rng.integers(3)]
    bright = bool(rng.random() < 0.5)
    canvas = background(width, height, bright, rng)
    things: list[SceneObject] = []
    for _ in range(rng.choice([1, 2, 3], p=[0.45, 0.35, 0.2])):
        thing = _place(int(rng.integers(len(cast.names))), cast, width, height, things, rng)
        things += [thing] if thing else []
    things.sort(key=lambda thing: -thing.side)
    covers = [thing.look.paint(canvas, thing.points, rng) for thing in things]
    for index, thing in enumerate(things):
        seen = covers[index] & ~np.any(covers[index + 1 :], axis=0) if index + 1 < len(things) else covers[index]
        thing.area = int(seen.sum())
        thing.visible = thing.area / max(1, int(covers[index].sum()))
        thing.difficult |= thing.visible < 0.6
    return Scene(np.clip(canvas, 0, 255).astype(np.uint8), things, bright, cast.things)


def save(path: Path, pixels: np.ndarray) -> None:
    """A picture, (height, width, 3) uint8 RGB, as JPEG."""
    Image.fromarray(pixels).save(path, "JPEG", quality=92)


def progress(what: str, count: int) -> Iterable[int]:
    """The numbers of the images of a part, with a bar on the terminal."""
    return tqdm(range(count), desc=f"drawing {what}", unit="img")
