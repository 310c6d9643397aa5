"""ImageNet-A (Hendrycks et al., CVPR 2021): photos of 200 of ImageNet's classes that ResNet-50 gets wrong."""

from workflow.contracts import DataSet, LabelledImages
from workflow.data.sets import as_configured, two_batches

DATASET = DataSet(
    name="imagenet_a",
    title="ImageNet-A",
    module="workflow.data.imagenet_a",
    samples={"test images": ("counts", "test")},
    classes=200,
    pixels=430,
    counts={"": {"test": 7_500}},
    generator="workflow.data.synthetic.other_images:make_adversarial",
    parts=("test",),
    small=two_batches,
    made_counts=as_configured("test"),
    labelled=LabelledImages("workflow.data.class_folders:of_root", train=""),
)
