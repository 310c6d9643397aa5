"""Whether a checked set has enough training images for a recipe, which the counts of the check do not tell: a class
may have one image, and a fine-tuning takes a fraction."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from classification.splits import split
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import labelled


def faults(check: DatasetInfo, key: str, recipe: dict[str, Any]) -> Iterator[str]:
    """A line for each value that the set is too small for.

    Args:
        check: of the set.
        key: section of the recipe.
        recipe: that section.
    """
    targets = np.asarray(labelled.open_train(check).targets)
    if recipe.get("k", 0) > len(targets):
        yield f"{key}.k: {recipe['k']} is more than the {len(targets)} training images in {check.root}"
    if "k" in recipe:
        return
    drawn = split(targets, recipe.get("fraction", 1.0))
    if not len(drawn.val):
        yield f"{key}: no class of {check.root} has two training images, one of which could be held out"
    if recipe.get("batch_size", 0) > len(drawn.fit):
        left = f"of the {len(targets)} training images in {check.root} after {len(drawn.val)} are held out"
        what = f"fraction {recipe['fraction']:g} leaves {len(drawn.fit)} {left}"
        yield f"{key}.batch_size: {recipe['batch_size']} is too large: {what}"


def check_counts(check: DatasetInfo, key: str, recipe: dict[str, Any]) -> None:
    """UserError with the first of them."""
    for fault in faults(check, key, recipe):
        raise UserError(fault)
