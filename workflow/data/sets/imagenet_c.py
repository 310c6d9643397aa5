"""ImageNet-C (Hendrycks and Dietterich, ICLR 2019): ImageNet's validation images in 15 corruptions, 5 severities."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet

CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise", "defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness", "contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
SEVERITIES = (1, 2, 3, 4, 5)
COPIES = len(CORRUPTIONS) * len(SEVERITIES)


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """A few: each is drawn 75 times."""
    return {"test": min(batch, 8)}


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """Each image in all corruptions and severities."""
    test = section["synthetic"]["test"]
    return {"test": test, "corrupted": test * COPIES}


DATASET = DataSet(
    name="imagenet_c",
    title="ImageNet-C",
    module="workflow.data.imagenet_c",
    samples={"test images": ("counts", "test")},
    classes=1000,
    pixels=224,
    counts={"": {"test": 50_000, "corrupted": 50_000 * COPIES}},
    generator="workflow.data.synthetic.imagenet_c:make",
    parts=("test",),
    small=small,
    made_counts=made_counts,
)
