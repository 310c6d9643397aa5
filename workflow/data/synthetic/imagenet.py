"""A synthetic set of classes in ImageNet's layout: one shape, in many colours and places, is one class."""

from pathlib import Path

from workflow.core.rng import rng
from workflow.data.synthetic.scenes import progress, save, single_object_image
from workflow.data.synthetic.sprites import Shapes


def make(root: Path, spec: dict) -> None:
    """{train,val}/<wnid>/<name>.JPEG and the class names in LOC_synset_mapping.txt."""
    shapes = Shapes(spec["classes"])
    names = shapes.names
    wnids = [f"n{label + 1:08d}" for label in range(len(names))]
    for split in ("train", "val"):
        for wnid in wnids:
            (root / split / wnid).mkdir(parents=True)
        for index in progress(f"ImageNet {split}", spec[split]):
            label = index % len(names)
            draw = rng("synthetic", "imagenet", spec["seed"], split, index)
            name = f"{wnids[label]}_{index // len(names)}" if split == "train" else f"ILSVRC2012_val_{index + 1:08d}"
            pixels = single_object_image(label, shapes, spec["size"], draw)
            save(root / split / wnids[label] / f"{name}.JPEG", pixels)
    lines = [f"{wnid} {name}\n" for wnid, name in zip(wnids, names, strict=True)]
    (root / "LOC_synset_mapping.txt").write_text("".join(lines))
