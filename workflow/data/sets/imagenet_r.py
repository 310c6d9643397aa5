"""ImageNet-R (Hendrycks et al., ICCV 2021): renditions of 200 of ImageNet's classes: art, cartoons, toys."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, two_batches

DATASET = DataSet(
    name="imagenet_r",
    title="ImageNet-R",
    module="workflow.data.imagenet_r",
    samples={"test images": ("counts", "test")},
    classes=200,
    pixels=430,
    counts={"": {"test": 30_000}},
    generator="workflow.data.synthetic.other_images:make_renditions",
    parts=("test",),
    small=two_batches,
    made_counts=as_configured("test"),
    labelled=LabelledImages("workflow.data.class_folders:of_root", train=""),
)
