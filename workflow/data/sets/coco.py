"""MS-COCO 2014: objects and captions, in the official split or in Karpathy's (CVPR 2015), which divides captions."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet

CAPTIONS = 5  # of a synthetic image


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """Enough images for some steps; Karpathy's split moves two thirds of the test images to training."""
    return {"train": max(2 * batch, 128), "val": 300 if section.get("split") == "karpathy" else 100}


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As the config has them; Karpathy's split tests on a third of the test images and trains on another."""
    spec = section["synthetic"]
    third, karpathy = spec["val"] // 3, section["split"] == "karpathy"
    train = spec["train"] + karpathy * third
    test = third if karpathy else spec["val"]
    return {"train_images": train, "train_captions": CAPTIONS * train, "test_images": test}


DATASET = DataSet(
    name="coco",
    title="MS-COCO",
    module="workflow.data.coco",
    samples={
        "training images": ("counts", "train_images"),
        "training images with an object": ("with_object",),
        "training captions": ("counts", "train_captions"),
    },
    classes=80,
    pixels=554,
    counts={
        "2014": {"train_images": 82_783, "train_captions": 414_113, "test_images": 40_504},
        "karpathy": {"train_images": 113_287, "train_captions": 566_747, "test_images": 5000},
    },
    small=small,
    made_counts=made_counts,
)
