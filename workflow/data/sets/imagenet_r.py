"""ImageNet-R (Hendrycks et al., ICCV 2021): renditions of 200 of ImageNet's classes: art, cartoons, toys."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet, LabelledImages


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """Two batches."""
    return {"test": 2 * batch}


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As the config has them."""
    return {"test": section["synthetic"]["test"]}


DATASET = DataSet(
    name="imagenet_r",
    title="ImageNet-R",
    module="workflow.data.imagenet_r",
    samples={"test images": ("counts", "test")},
    classes=200,
    pixels=430,
    counts={"": {"test": 30_000}},
    generator="workflow.data.synthetic.other_images:make_renditions",
    parts=("test",),
    small=small,
    made_counts=made_counts,
    labelled=LabelledImages("workflow.data.class_folders:of_root", train=""),
)
