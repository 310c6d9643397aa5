"""Images of none of a network's classes, in a folder for each set, as OpenOOD's (Zhang et al., 2023) are stored."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet
from workflow.data.sets import two_batches

DRAWN = ("near", "far")  # the sets of the synthetic twin


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As many of each set."""
    return {"test": section["synthetic"]["test"] * len(DRAWN)}


DATASET = DataSet(
    name="ood_images",
    title="out-of-distribution images",
    module="workflow.data.ood_images",
    samples={"test images": ("counts", "test")},
    classes=len(DRAWN),
    pixels=430,
    counts={},
    generator="workflow.data.synthetic.ood_images:make_near_and_far",
    parts=("test",),
    small=two_batches,
    made_counts=made_counts,
)
