"""CIFAR-100 (Krizhevsky, 2009): small photos of 100 classes, in the official binary files."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, small_parts

PARTS = ("train", "test")


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
    small=small_parts("test"),
    made_counts=as_configured(*PARTS),
    fixed_size=True,
    hub="uoft-cs/cifar100",
    labelled=LabelledImages("workflow.data.cifar100:open_part"),
)
