"""ImageNet-A (Hendrycks et al., CVPR 2021): photos of 200 of ImageNet's classes that ResNet-50 gets wrong."""

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
    name="imagenet_a",
    title="ImageNet-A",
    module="workflow.data.imagenet_a",
    samples={"test images": ("counts", "test")},
    classes=200,
    pixels=430,
    counts={"": {"test": 7_500}},
    generator="workflow.data.synthetic.other_images:make_adversarial",
    parts=("test",),
    small=small,
    made_counts=made_counts,
    labelled=LabelledImages("workflow.data.class_folders:of_root", train=""),
)
