"""What pretraining costs here (workflow/planning/cost.py)."""

from pathlib import Path

import pretrain.dataset
import pretrain.metric
import pretrain.model  # noqa: F401 (registers)
from pretrain.train import task
from workflow.core.dataset_info import DatasetInfo
from workflow.data.labelled import train_count
from workflow.planning.run_spec import RunSpec
from workflow.training import timing


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """A short pretraining of the network, which the recipe names too."""
    check, state, run = DatasetInfo.read(check_file), out / "state", timing.few_images(run, run.recipe["crop_size"])
    return timing.measure(run, task(run, check, state), train_count(check), state)
