"""What the generator's scenes are made of: drawn shapes, or photos of objects cut out by their boxes.

A cast gives a class a look; a look has an outline, drawn anew for each place that is tried, and is painted into it."""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from PIL import Image

from workflow.core.errors import UserError
from workflow.data.synthetic.shapes import COLOURS, SHAPES, outline, paint
from workflow.data.validation.decoding import decode
from workflow.data.validation.image_scan import inspect_image
from workflow.data.validation.unused import is_leftover

TIED = 0.9
FEATHER = 2.0  # px over which a photo fades into the background, so that no straight edge gives its box away


class Appearance(Protocol):
    """How one thing looks. `name` is its class, `words` what a caption calls it."""

    name: str
    words: str

    def outline(self, side: float, rng: np.random.Generator) -> np.ndarray:
        """A polygon, its box centred on 0 and `side` px long: (n, 2)."""

    def paint(self, canvas: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Into `canvas` (height, width, 3), in place, where `points` are; the pixels covered, (height, width) bools."""


class ObjectSet(Protocol):
    """The classes, by `names` in label order; `things` is what a caption calls several of them."""

    names: list[str]
    things: str

    def look(self, label: int, rng: np.random.Generator) -> Appearance:
        """One of the looks of a class."""


@dataclass
class Shape:
    """A shape in a colour."""

    name: str
    colour: str

    @property
    def words(self) -> str:
        """`red circle`"""
        return f"{self.colour} {self.name}"

    def outline(self, side: float, rng: np.random.Generator) -> np.ndarray:
        """Turned, sheared and stretched."""
        return outline(self.name, side, rng)

    def paint(self, canvas: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """In a drawn texture."""
        return paint(canvas, points, self.colour, rng)


class Shapes:
    """The first `classes` shapes of the vocabulary. A class has a colour of its own, worn in 90 % of cases; otherwise
    another one is drawn. A short training learns colours first, so the demo's tables do not stay near chance."""

    things = "shapes"

    def __init__(self, classes: int) -> None:
        self.names = list(SHAPES)[:classes]

    def look(self, label: int, rng: np.random.Generator) -> Shape:
        """The shape in a drawn colour."""
        other = (label + rng.integers(1, len(self.names))) % len(self.names)
        return Shape(self.names[label], list(COLOURS)[label if rng.random() < TIED else other])


@dataclass
class Photo:
    """A photo of one object, (height, width, 3) uint8."""

    name: str
    pixels: np.ndarray

    @property
    def words(self) -> str:
        """The class."""
        return self.name

    def outline(self, side: float, rng: np.random.Generator) -> np.ndarray:
        """The photo's rectangle."""
        height, width = self.pixels.shape[:2]
        half = np.array([width, height]) * (side / max(width, height) / 2)
        return half * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])

    def paint(self, canvas: np.ndarray, points: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Mirrored in half of the cases, fading into what is behind it."""
        limit = np.array(canvas.shape[1::-1])
        low, high = points.min(axis=0).round().astype(int), points.max(axis=0).round().astype(int)
        width, height = np.maximum(high - low, 1)
        photo = np.asarray(Image.fromarray(self.pixels).resize((width, height), Image.Resampling.BICUBIC), np.float32)
        photo = photo[:, ::-1] if rng.random() < 0.5 else photo
        alpha = np.outer(fade(height), fade(width)).astype(np.float32)
        (x0, y0), (x1, y1) = np.clip(low, 0, limit), np.clip(high, 0, limit)
        seen = slice(y0 - low[1], y1 - low[1]), slice(x0 - low[0], x1 - low[0])
        crop = canvas[y0:y1, x0:x1]
        crop += alpha[seen][..., None] * (photo[seen] - crop)
        covered = np.zeros(canvas.shape[:2], dtype=bool)
        covered[y0:y1, x0:x1] = True
        return covered


def fade(length: int) -> np.ndarray:
    """From nearly 0 at both ends to 1 inside: (length,)."""
    return np.minimum(np.arange(1, length + 1), np.arange(length, 0, -1)).clip(0, FEATHER) / FEATHER


class Photos:
    """Objects of a folder `root`/`split`/<class>/ with one image per object, cut out by its box."""

    things = "things"

    def __init__(self, root: str | Path, split: str) -> None:
        self.names = photo_classes(root)
        self.files = [
            sorted(p for p in (Path(root) / split / name).glob("*.png") if not is_leftover(p.name))
            for name in self.names
        ]
        for name, files in zip(self.names, self.files, strict=True):
            if not files:
                raise UserError(f"{Path(root) / split / name}: no PNG image of an object")
            for file in files:
                if isinstance(fault := inspect_image(str(file)), str):
                    raise UserError(f"{file}: {fault}")

    def look(self, label: int, rng: np.random.Generator) -> Photo:
        """A drawn photo of the class."""
        files = self.files[label]
        return Photo(self.names[label], decode(files[rng.integers(len(files))]))


def photo_classes(root: str | Path) -> list[str]:
    """The class names of a folder of photos of objects, sorted; UserError if it has none."""
    names = sorted(
        path.name for path in (Path(root) / "train").glob("*") if path.is_dir() and not is_leftover(path.name)
    )
    if len(names) < 2:
        raise UserError(f"{root}: not a folder of objects: train/<class>/ and val/<class>/, two classes at least")
    return names


def cast(spec: dict, split: str) -> ObjectSet:
    """What a set with this spec is made of: photos if it names a folder of them. `split` is train or val."""
    return Photos(spec["photos"], split) if "photos" in spec else Shapes(spec["classes"])


def class_names(spec: dict) -> list[str]:
    """The class names of a synthetic set, in label order."""
    return photo_classes(spec["photos"]) if "photos" in spec else Shapes(spec["classes"]).names
