"""Folders of classes, as ImageNet (ILSVRC 2012) is laid out; the set that backbones are pretrained on."""

from workflow.contracts import DataSet, LabelledImages
from workflow.core.dataset_info import DatasetInfo
from workflow.data.sets import as_configured, small_parts

PARTS = ("train", "val")
BOXES = "boxes"  # kind of annotation that a set may lack
WITH_BOXES = "training images, where val has boxes"


def missing(check: DatasetInfo, sample: str) -> str:
    """A set may lack the boxes of its validation images."""
    there = sample != WITH_BOXES or BOXES in (check.kinds or ())
    return "" if there else "has no boxes of val (data: val_boxes names their folder)"


DATASET = DataSet(
    name="imagenet",
    title="ImageNet",
    module="workflow.data.imagenet",
    samples={"training images": ("counts", "train"), WITH_BOXES: ("counts", "train")},
    classes=1000,
    pixels=430,
    counts={"": {"train": 1_281_167, "val": 50_000}},
    generator="workflow.data.synthetic.imagenet:make",
    parts=PARTS,
    small=small_parts("val"),
    made_counts=as_configured(*PARTS),
    missing=missing,
    hub="ILSVRC/imagenet-1k",
    labelled=LabelledImages("workflow.data.class_folders:of_split", test="val"),
)
