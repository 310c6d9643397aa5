"""The small drawn sets on which `make cost` times the runs of a config, with files as large as those of photos."""

import dataclasses
import importlib
from pathlib import Path
from typing import Any

from workflow.core.escaping import say
from workflow.data.sets import DRAWN_CLASSES
from workflow.planning.plan import Plan
from workflow.registry import data_name, layout_of

BATCH = 64  # images, where a recipe names no batch
OF_ROOT = ("root", "source", "classes", "val_boxes", "held_out")  # keys of a data set that a drawn one has not
# Bytes a pixel of a JPEG: VOC07's photos have 0.46, COCO's 0.53, ImageNet's 0.56. Drawn shapes have far fewer, which a
# decoder reads in less time.
DENSITY = 0.5


def synthetic_check(config: dict[str, Any], name: str, batch: int, folder: Path) -> Path:
    """CHECK.json of a small drawn set, with as many classes as the real one has."""
    from workflow.data.synthetic import generate

    section, data = config["data"][name], layout_of(config, name)
    own, listed = section.get("synthetic", {}), section.get("classes")
    size = {} if data.fixed_size else {"size": own.get("size", data.pixels)}
    spec = {**made_of(name, own, data.classes), **data.small(section, batch), **size, "seed": 0}
    generate.make(data.name, spec, folder / name)
    if "root" in section:
        add_grain(folder / name)
    kept = {key: value for key, value in section.items() if key not in OF_ROOT}
    check = importlib.import_module(data.module).check({**kept, "synthetic": spec}, folder / name)
    classes = len(listed) if isinstance(listed, list) else 0 if own else data.classes
    more = [f"class {n}" for n in range(len(check.classes), classes)]
    dataclasses.replace(check, classes=check.classes + more).write(folder / f"{name}.json")
    return folder / f"{name}.json"


def made_of(name: str, own: dict[str, Any], classes: int) -> dict[str, Any]:
    """What the drawn set shows: the photos that the config names, if they are there, or shapes of `classes` at most."""
    if "photos" in own and Path(own["photos"]).is_dir():
        return {"photos": own["photos"]}
    if "photos" in own:
        say(f"data.{name}.synthetic.photos: no folder {own['photos']}: shapes in their place")
    return {"classes": own.get("classes", min(DRAWN_CLASSES, classes))}


def batch_sizes(todo: Plan) -> dict[str, int]:
    """The largest batch that any run takes of each data set."""
    found: dict[str, int] = {}
    for run in todo.jobs:
        name = data_name(todo.config, run.task)
        found[name] = max(found.get(name, 0), run.run["recipe"].get("batch_size", BATCH))
    return found


def add_grain(folder: Path) -> None:
    """Noise on each JPEG in a folder, until it takes as many bytes as a photo of its size."""
    import numpy as np
    from PIL import Image

    for path in sorted(path for path in folder.rglob("*") if path.suffix.lower() in (".jpg", ".jpeg")):
        with Image.open(path) as file:
            pixels = np.asarray(file.convert("RGB"), dtype=np.float32)
        noise = np.random.default_rng(0).standard_normal(pixels.shape[:2], dtype=np.float32)[..., None]
        for strength in range(4, 64, 4):
            if path.stat().st_size >= DENSITY * noise.size:
                break
            grainy = (pixels + strength * noise).clip(0, 255).astype(np.uint8)
            Image.fromarray(grainy).save(path, "JPEG", quality=92)
