"""PASCAL VOC: trainval of 2007 and 2012 to train on, test of 2007 to test on."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import DataSet, Faults

PARTS = ("trainval07", "trainval12", "test07")


def small(section: Mapping[str, Any], batch: int) -> dict[str, int]:
    """Enough images for some steps: some synthetic scenes have no object that counts."""
    half = batch // 2 + 8
    return {"trainval07": half, "trainval12": half, "test07": 24}


def made_counts(section: Mapping[str, Any]) -> dict[str, int]:
    """As the config has them."""
    return {part: section["synthetic"][part] for part in PARTS}


def check_section(path: str, section: Mapping[str, Any]) -> Faults:
    """A set on disk lists its classes; a synthetic one has its own."""
    if ("root" in section) != ("classes" in section):
        fault = "missing key" if "root" in section else "only allowed together with 'root'"
        yield f"{path}.classes: {fault}"


DATASET = DataSet(
    name="voc",
    title="VOC07+12",
    module="workflow.data.voc",
    samples={"training images with an object": ("with_object",)},
    classes=20,
    pixels=430,
    counts={"": {"trainval07": 5011, "trainval12": 11_540, "test07": 4952}},
    generator="workflow.data.synthetic.voc:make",
    parts=PARTS,
    small=small,
    made_counts=made_counts,
    from_photos=True,
    check_section=check_section,
)
