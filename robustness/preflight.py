"""Are the sets there that a recipe of out-of-distribution detection names? Checked before anything is trained."""

from typing import Any

from robustness.task import NOISE
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError


def check_sets(check: DatasetInfo, key: str, recipe: dict[str, Any]) -> None:
    """UserError if a set of a recipe is not in the checked data.

    Args:
        check: of the data.
        key: the section of the recipe in the config, for the message.
        recipe: that section.
    """
    for group, names in recipe["sets"].items():
        for number, name in enumerate(names):
            if name not in (*NOISE, *check.classes):
                there = ", ".join((*check.classes, *NOISE))
                raise UserError(f"{key}.sets.{group}[{number}]: {check.root} has no set {name} (it has {there})")
