"""CIFAR-10 (Krizhevsky, 2009): small photos of ten classes, in the official binary files."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, small_parts

PARTS = ("train", "test")


DATASET = DataSet(
    name="cifar10",
    title="CIFAR-10",
    module="workflow.data.cifar10",
    samples={"training images": ("counts", "train")},
    classes=10,
    pixels=32,
    counts={"": {"train": 50_000, "test": 10_000}},
    generator="workflow.data.synthetic.cifar:make_ten",
    parts=PARTS,
    small=small_parts("test"),
    made_counts=as_configured(*PARTS),
    fixed_size=True,
    hub="uoft-cs/cifar10",
    labelled=LabelledImages("workflow.data.cifar10:open_part"),
)
