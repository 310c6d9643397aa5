"""Folders of classes, as ImageNet (ILSVRC 2012) is laid out; the set that backbones are pretrained on."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet

PARTS = ("train", "val")


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """Enough images for some steps and two batches of test images."""
    return {"train": batch, "val": 2 * batch}


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As the config has them."""
    return {part: section["synthetic"][part] for part in PARTS}


DATASET = DataSet(
    name="imagenet",
    title="ImageNet",
    module="workflow.data.imagenet",
    samples={"training images": ("counts", "train")},
    classes=1000,
    pixels=430,
    counts={"": {"train": 1_281_167, "val": 50_000}},
    generator="workflow.data.synthetic.imagenet:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
)
