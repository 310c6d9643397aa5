"""The out-of-distribution images of ODIN (Liang et al., ICLR 2018): five sets of 32 px, which the CutMix paper uses."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet
from workflow.data.sets import two_batches

COUNTS = {"Imagenet": 10_000, "Imagenet_resize": 10_000, "LSUN": 10_000, "LSUN_resize": 10_000, "iSUN": 8925}
SIDE = 32  # px, of all images


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As many of each set."""
    return {"test": section["synthetic"]["test"] * len(COUNTS)}


DATASET = DataSet(
    name="odin",
    title="ODIN's out-of-distribution images",
    module="workflow.data.odin",
    samples={"test images": ("counts", "test")},
    classes=len(COUNTS),
    pixels=SIDE,
    counts={"": {"test": sum(COUNTS.values())}},
    generator="workflow.data.synthetic.ood_images:make_odin",
    parts=("test",),
    fixed_size=True,
    small=two_batches,
    made_counts=made_counts,
)
