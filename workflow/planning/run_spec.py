"""One run as the plan describes it: which task, which backbone, which seeds, under which recipe, on which data."""

import json
from dataclasses import asdict, dataclass, field
from typing import Any

from workflow.core.errors import UserError
from workflow.core.files import digest


@dataclass(frozen=True)
class RunSpec:
    """What a training command gets as `--run-spec`: one section of the config, resolved when the DAG was planned.

    `recipe` is all that a result may depend on besides backbone, data and seeds: its hash is the recipe hash of the
    record (law 1). `threads`, `workers` (both of one process) and `gpus` describe the machine; `tracking` says
    where the curves go (workflow/planning/tracking.py), `keep_network` whether the trained network is written.
    """

    task: str
    backbone: str
    seeds: dict[str, int]
    recipe: dict[str, Any]
    data: dict[str, Any]
    threads: int
    workers: int
    gpus: int
    tracking: dict[str, str] = field(default_factory=dict)
    keep_network: bool = False

    @classmethod
    def parse(cls, text: str) -> "RunSpec":
        """From the JSON of a command line; UserError if it is not one."""
        try:
            return cls(**json.loads(text))
        except (json.JSONDecodeError, TypeError) as error:
            raise UserError(f"--run-spec is not the JSON of a run: {error}") from None

    @property
    def type(self) -> str:
        """The type of the task, of which `task` is an instance: the recipe names it where the two differ."""
        return self.recipe.get("task", self.task)

    @property
    def seed(self) -> int:
        """The seed of this run's own draws: the transfer seed, or the pretraining seed for pretraining."""
        return self.seeds["transfer" if "transfer" in self.seeds else "pretrain"]

    @property
    def name(self) -> str:
        """For the terminal: `ssd_voc cutmix p0s1`."""
        return f"{self.task} {self.backbone} " + "".join(
            f"{key[0].replace('t', 's')}{n}" for key, n in self.seeds.items()
        )

    @property
    def recipe_hash(self) -> str:
        """SHA-256 of the recipe alone."""
        return digest(self.recipe)

    def as_dict(self) -> dict[str, Any]:
        """For `config.json`: without `tracking` and `keep_network`, on which nothing depends."""
        return {key: value for key, value in asdict(self).items() if key not in ("tracking", "keep_network")}
