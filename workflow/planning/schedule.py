"""How long a recipe trains, in iterations."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Schedule:
    """How long a run is, in iterations: the whole, one evaluation interval, the points where the rate drops."""

    iterations: int
    eval_interval: int
    milestones: list[int]

    @classmethod
    def of(cls, recipe: dict[str, Any], samples: int) -> "Schedule":
        """From a recipe in epochs (an epoch = samples // batch iterations) or in iterations."""
        unit = max(1, samples // recipe["batch_size"]) if "epochs" in recipe else 1
        whole = (recipe["epochs"] if "epochs" in recipe else recipe["iterations"]) * unit
        every = recipe["eval_interval"] * unit or whole
        return cls(whole, every, [epoch * unit for epoch in recipe.get("milestones", [])])
