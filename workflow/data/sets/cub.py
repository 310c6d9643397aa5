"""CUB-200-2011 (Wah et al., 2011): photos of birds with their species and one box each."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, small_parts

PARTS = ("train", "test")


DATASET = DataSet(
    name="cub",
    title="CUB-200-2011",
    module="workflow.data.cub",
    samples={"training images": ("counts", "train")},
    classes=200,
    pixels=430,
    counts={"": {"train": 5994, "test": 5794}},
    generator="workflow.data.synthetic.cub:make",
    parts=PARTS,
    small=small_parts("test"),
    made_counts=as_configured(*PARTS),
    labelled=LabelledImages("workflow.data.cub:open_part"),
)
