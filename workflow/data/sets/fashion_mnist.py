"""FashionMNIST (Xiao et al., 2017): grey pictures of clothes of ten kinds, in IDX files."""

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
    name="fashion_mnist",
    title="FashionMNIST",
    module="workflow.data.fashion_mnist",
    samples={"training images": ("counts", "train")},
    classes=10,
    pixels=28,
    counts={"": {"train": 60_000, "test": 10_000}},
    generator="workflow.data.synthetic.idx:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    fixed_size=True,
    hub="zalando-datasets/fashion_mnist",
    labelled=LabelledImages("workflow.data.fashion_mnist:open_part"),
)
