"""A set of one's own in folders of classes, as ImageNet is laid out."""

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
    name="image_folder",
    title="folders of classes",
    module="workflow.data.image_folder",
    samples={"training images": ("counts", "train")},
    classes=1000,
    pixels=430,
    counts={},
    generator="workflow.data.synthetic.image_folder:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    labelled=LabelledImages("workflow.data.image_folder:open_part"),
)
