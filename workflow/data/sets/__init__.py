"""One data set, one file: its declaration (workflow/contracts/__init__.py). What many of them say of their synthetic
twins is here."""

from collections.abc import Callable, Mapping
from typing import Any

Section = Mapping[str, Any]
DRAWN_CLASSES = 12  # of a synthetic twin, at most: as many as there are shapes


def as_configured(*parts: str) -> Callable[[Section], dict[str, int]]:
    """`DataSet.made_counts` of a set whose synthetic twin has of each part as many images as its section says."""
    return lambda section: {part: section["synthetic"][part] for part in parts}


def small_parts(test: str) -> Callable[[Section, int], dict[str, int]]:
    """`DataSet.small`: training images for some steps and two batches of the part `test`, with one of each class."""
    return lambda section, batch: {"train": max(DRAWN_CLASSES, batch), test: max(DRAWN_CLASSES, 2 * batch)}


def two_batches(section: Section, batch: int) -> dict[str, int]:
    """`DataSet.small` of a set of test images only."""
    return {"test": 2 * batch}
