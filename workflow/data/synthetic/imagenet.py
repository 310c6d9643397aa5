"""A synthetic set of classes in ImageNet's layout: one shape, in many colours and places, is one class."""

from pathlib import Path

import numpy as np

from workflow.core.rng import rng
from workflow.data.synthetic.scenes import progress, save, single_object_image
from workflow.data.synthetic.sprites import Shapes


def wnids(classes: int) -> list[str]:
    """The names of the class folders, in the order of the shapes."""
    return [f"n{label + 1:08d}" for label in range(classes)]


def val_image(shapes: Shapes, spec: dict, index: int) -> tuple[int, str, np.ndarray]:
    """Label, name and pixels of a validation image."""
    label = index % len(shapes.names)
    draw = rng("synthetic", "imagenet", spec["seed"], "val", index)
    return label, f"ILSVRC2012_val_{index + 1:08d}.JPEG", single_object_image(label, shapes, spec["size"], draw)


def make(root: Path, spec: dict) -> None:
    """{train,val}/<wnid>/<name>.JPEG and the class names in LOC_synset_mapping.txt."""
    shapes = Shapes(spec["classes"])
    names = shapes.names
    folders = wnids(len(names))
    for split in ("train", "val"):
        for wnid in folders:
            (root / split / wnid).mkdir(parents=True)
    for index in progress("ImageNet train", spec["train"]):
        label = index % len(names)
        draw = rng("synthetic", "imagenet", spec["seed"], "train", index)
        name = f"{folders[label]}_{index // len(names)}.JPEG"
        save(root / "train" / folders[label] / name, single_object_image(label, shapes, spec["size"], draw))
    for index in progress("ImageNet val", spec["val"]):
        label, name, pixels = val_image(shapes, spec, index)
        save(root / "val" / folders[label] / name, pixels)
    lines = [f"{wnid} {name}\n" for wnid, name in zip(folders, names, strict=True)]
    (root / "LOC_synset_mapping.txt").write_text("".join(lines))
