"""A synthetic set of dots: an image of class n has n + 1 of them, in drawn places and colours."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from workflow.core.files import write_json
from workflow.core.rng import rng
from workflow.data.sets.dots import PARTS
from workflow.data.synthetic.scenes import progress


def make(root: Path, spec: dict) -> None:
    """Draw a set into an empty folder; image i of a split follows from (seed, split, i) only."""
    labels = {}
    for part in PARTS:
        (root / part).mkdir()
        labels[part] = {f"{index:06d}.png": index % spec["classes"] for index in range(spec[part])}
        for index in progress(f"dots {part}", spec[part]):
            image = dots(index % spec["classes"] + 1, spec["size"], rng("synthetic", "dots", spec["seed"], part, index))
            image.save(root / part / f"{index:06d}.png")
    write_json(root / "labels.json", {"classes": [f"{n + 1} dots" for n in range(spec["classes"])], **labels})


def dots(number: int, size: int, draw: np.random.Generator) -> Image.Image:
    """An image of size x size px with a number of dots, which may overlap."""
    image = Image.fromarray(draw.integers(96, 160, (size, size, 3), dtype=np.uint8))
    pen, radius = ImageDraw.Draw(image), size // 10
    for x, y in draw.uniform(radius, size - radius, (number, 2)):
        colour = tuple(draw.integers(0, 256, 3).tolist())
        pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image
