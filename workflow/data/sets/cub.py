"""CUB-200-2011 (Wah et al., 2011): photos of birds with their species and one box each."""

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
    name="cub",
    title="CUB-200-2011",
    module="workflow.data.cub",
    samples={"training images": ("counts", "train")},
    classes=200,
    pixels=430,
    counts={"": {"train": 5994, "test": 5794}},
    generator="workflow.data.synthetic.cub:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    labelled=LabelledImages("workflow.data.cub:open_part"),
)
