"""Synthetic sets of images that show none of the classes of the drawn ImageNet: other shapes (near), grounds without an
object (far)."""

from pathlib import Path

import numpy as np

from workflow.core.rng import rng
from workflow.data.sets.odin import COUNTS, SIDE
from workflow.data.sets.ood_images import DRAWN
from workflow.data.synthetic.scenes import progress, save, single_object_scene
from workflow.data.synthetic.shapes import SHAPES, background
from workflow.data.synthetic.sprites import Shapes

NEAR, FAR = DRAWN
ODIN = dict(zip(COUNTS, (NEAR, NEAR, FAR, FAR, NEAR), strict=True))  # LSUN has scenes


def picture(kind: str, classes: int, size: int, draw: np.random.Generator) -> np.ndarray:
    """An image (size, size, 3) uint8 of a kind, where the first `classes` shapes are known."""
    if kind == FAR:
        ground = background(size, size, bool(draw.random() < 0.5), draw)
        return np.clip(ground, 0, 255).astype(np.uint8)
    label = int(draw.integers(classes, len(SHAPES)))
    return single_object_scene(label, Shapes(len(SHAPES)), size, draw).pixels


def make(root: Path, sets: dict[str, str], spec: dict) -> None:
    """<set>/<set>_<number>.JPEG of each set and its kind; an image follows from the seed, its set and its number."""
    for name, kind in sets.items():
        (root / name).mkdir()
        for index in progress(name, spec["test"]):
            draw = rng("synthetic", "out of distribution", name, spec["seed"], index)
            save(root / name / f"{name}_{index}.JPEG", picture(kind, spec["classes"], spec["size"], draw))


def make_near_and_far(root: Path, spec: dict) -> None:
    """A set of each kind."""
    make(root, {kind: kind for kind in DRAWN}, spec)


def make_odin(root: Path, spec: dict) -> None:
    """Under the names of ODIN's sets, in their size."""
    make(root, ODIN, spec | {"size": SIDE})
