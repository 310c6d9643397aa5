"""FashionMNIST (Xiao et al., 2017): grey pictures of clothes of ten kinds, in IDX files."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, small_parts

PARTS = ("train", "test")


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
    small=small_parts("test"),
    made_counts=as_configured(*PARTS),
    fixed_size=True,
    hub="zalando-datasets/fashion_mnist",
    labelled=LabelledImages("workflow.data.fashion_mnist:open_part"),
)
