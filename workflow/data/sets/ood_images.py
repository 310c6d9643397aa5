"""Images of none of a network's classes, in a folder for each set, as OpenOOD's (Zhang et al., 2023) are stored."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet

DRAWN = ("near", "far")  # the sets of the synthetic twin


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """Two batches of each set."""
    return {"test": 2 * batch}


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
    small=small,
    made_counts=made_counts,
)
