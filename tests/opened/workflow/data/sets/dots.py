"""Dots: images of classes in two folders, whose labels stand in one file; the class is the number of dots."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet, LabelledImages

PARTS = ("train", "test")


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """Enough images for some steps and two batches of test images."""
    return {"train": batch, "test": 2 * batch}


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As the config has them."""
    return {part: section["synthetic"][part] for part in PARTS}


DATASET = DataSet(
    name="dots",
    title="Dots",
    module="workflow.data.dots",
    samples={"training images": ("counts", "train")},
    classes=4,
    pixels=64,
    counts={},  # no set is published in this layout
    generator="workflow.data.synthetic_dots:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    labelled=LabelledImages("workflow.data.dots:open_part"),
)
