"""CIFAR-100 (Krizhevsky, 2009): small photos of 100 classes, in the official binary files."""

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
    name="cifar100",
    title="CIFAR-100",
    module="workflow.data.cifar100",
    samples={"training images": ("counts", "train")},
    classes=100,
    pixels=32,
    counts={"": {"train": 50_000, "test": 10_000}},
    generator="workflow.data.synthetic.cifar:make_hundred",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    fixed_size=True,
    hub="uoft-cs/cifar100",
    labelled=LabelledImages("workflow.data.cifar100:open_part"),
)
