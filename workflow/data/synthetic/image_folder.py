"""A synthetic set in folders of classes, with names for the folders."""

from pathlib import Path

from workflow.core.rng import rng
from workflow.data.imagenet import NAMES
from workflow.data.sets.image_folder import DATASET
from workflow.data.synthetic.scenes import progress, save, single_object_scene
from workflow.data.synthetic.sprites import Shapes


def make(root: Path, spec: dict) -> None:
    """{train,test}/<class>/<number>.jpg and the names of the classes."""
    shapes = Shapes(spec["classes"])
    folders = [f"class_{label:02d}" for label in range(len(shapes.names))]
    for part in DATASET.parts:
        for folder in folders:
            (root / part / folder).mkdir(parents=True)
        for index in progress(f"folders {part}", spec[part]):
            label = index % len(folders)
            draw = rng("synthetic", DATASET.name, spec["seed"], part, index)
            picture = single_object_scene(label, shapes, spec["size"], draw)
            save(root / part / folders[label] / f"{index:06d}.jpg", picture.pixels)
    lines = [f"{folder} {name}\n" for folder, name in zip(folders, shapes.names, strict=True)]
    (root / NAMES).write_text("".join(lines))
