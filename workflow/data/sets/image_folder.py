"""A set of one's own in folders of classes, as ImageNet is laid out."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, small_parts

PARTS = ("train", "test")


DATASET = DataSet(
    name="image_folder",
    title="folders of classes",
    module="workflow.data.image_folder",
    samples={"training images": ("counts", "train")},
    classes=1000,
    pixels=430,
    counts={},
    generator="workflow.data.synthetic.image_folder:make",
    parts=PARTS,
    small=small_parts("test"),
    made_counts=as_configured(*PARTS),
    labelled=LabelledImages("workflow.data.image_folder:open_part"),
)
