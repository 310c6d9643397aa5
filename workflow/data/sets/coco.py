"""MS-COCO 2014: objects and captions, in the official split or in Karpathy's (CVPR 2015), which divides captions."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet
from workflow.core.dataset_info import DatasetInfo

PARTS = ("train", "val")
CAPTIONS = 5  # of a synthetic image
ANNOTATIONS = {  # kind of training sample -> the annotation files that it stands in
    "training images with an object": "instances",
    "training captions": "captions",
}


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


def missing(check: DatasetInfo, sample: str) -> str:
    """A set may have the annotation files of objects or of captions only."""
    kind = ANNOTATIONS.get(sample)
    there = kind is None or check.kinds is None or kind in check.kinds
    return "" if there else f"has no {kind}: annotations/{kind}_train2014.json is missing"


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
    generator="workflow.data.synthetic.coco:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    from_photos=True,
    missing=missing,
)
