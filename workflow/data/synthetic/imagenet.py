"""A synthetic set of classes in ImageNet's layout: one shape, in many colours and places, is one class."""

from pathlib import Path

from workflow.core.rng import rng
from workflow.data.imagenet import NAMES
from workflow.data.imagenet_boxes import SYNTHETIC, write_annotation
from workflow.data.synthetic.scenes import Scene, progress, save, single_object_scene
from workflow.data.synthetic.sprites import Shapes


def wnids(classes: int) -> list[str]:
    """The names of the class folders, in the order of the shapes."""
    return [f"n{label + 1:08d}" for label in range(classes)]


def val_image(shapes: Shapes, spec: dict, index: int) -> tuple[int, str, Scene]:
    """Label, name and picture of a validation image."""
    label = index % len(shapes.names)
    draw = rng("synthetic", "imagenet", spec["seed"], "val", index)
    return label, f"ILSVRC2012_val_{index + 1:08d}.JPEG", single_object_scene(label, shapes, spec["size"], draw)


def make(root: Path, spec: dict) -> None:
    """{train,val}/<wnid>/<name>.JPEG, the boxes of val, and the class names in LOC_synset_mapping.txt."""
    shapes = Shapes(spec["classes"])
    names = shapes.names
    folders = wnids(len(names))
    (root / SYNTHETIC).mkdir()
    for split in ("train", "val"):
        for wnid in folders:
            (root / split / wnid).mkdir(parents=True)
    for index in progress("ImageNet train", spec["train"]):
        label = index % len(names)
        draw = rng("synthetic", "imagenet", spec["seed"], "train", index)
        name = f"{folders[label]}_{index // len(names)}.JPEG"
        save(root / "train" / folders[label] / name, single_object_scene(label, shapes, spec["size"], draw).pixels)
    for index in progress("ImageNet val", spec["val"]):
        label, name, picture = val_image(shapes, spec, index)
        save(root / "val" / folders[label] / name, picture.pixels)
        x0, y0, x1, y1 = picture.things[0].box
        write_annotation(root / SYNTHETIC, name, folders[label], (spec["size"], spec["size"]), (x0, y0, x1 - 1, y1 - 1))
    lines = [f"{wnid} {name}\n" for wnid, name in zip(folders, names, strict=True)]
    (root / NAMES).write_text("".join(lines))
