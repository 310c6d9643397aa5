"""Synthetic test sets of the classes of the drawn ImageNet, whose objects look otherwise: renditions in few colours
without their own (ImageNet-R), small objects in the dark (ImageNet-A)."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from workflow.core.rng import rng
from workflow.data.synthetic.imagenet import wnids
from workflow.data.synthetic.scenes import progress, save, single_object_scene
from workflow.data.synthetic.sprites import Shapes

Look = Callable[[Image.Image, np.random.Generator], Image.Image]


def make(root: Path, spec: dict, name: str, look: Look) -> None:
    """<wnid>/<name>_<number>.JPEG; image i follows from (the seed, the set, i) only."""
    shapes = Shapes(spec["classes"])
    folders = wnids(len(shapes.names))
    for wnid in folders:
        (root / wnid).mkdir()
    for index in progress(name, spec["test"]):
        label = index % len(folders)
        draw = rng("synthetic", name, spec["seed"], index)
        photo = Image.fromarray(single_object_scene(label, shapes, spec["size"], draw).pixels)
        save(root / folders[label] / f"{name}_{index}.JPEG", np.asarray(look(photo, draw)))


def rendition(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    """An etching, a poster or a negative."""
    kind = draw.integers(3)
    if kind == 0:
        return ImageOps.grayscale(photo).filter(ImageFilter.CONTOUR).convert("RGB")
    return ImageOps.posterize(photo, 2) if kind == 1 else ImageOps.invert(photo)


def small_and_dark(photo: Image.Image, draw: np.random.Generator) -> Image.Image:
    """The photo at half its size somewhere on a smooth ground, a third as bright."""
    side = photo.width
    ground = photo.filter(ImageFilter.GaussianBlur(side / 8))
    left, top = draw.integers(0, side - side // 2 + 1, 2).tolist()
    ground.paste(photo.resize((side // 2, side // 2)), (left, top))
    return ground.point(lambda value: value // 3)


def make_renditions(root: Path, spec: dict) -> None:
    """In the layout of ImageNet-R."""
    make(root, spec, "rendition", rendition)


def make_adversarial(root: Path, spec: dict) -> None:
    """In the layout of ImageNet-A."""
    make(root, spec, "adversarial", small_and_dark)
