"""What pretraining costs here: `python -m pretrain.cost --run-spec JSON --dataset-info CHECK.json --out DIR`
(workflow/planning/cost.py)."""

from pathlib import Path
from typing import Any

from workflow.training.cost_command import command_line


def cost(run: Any, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """A short pretraining of the network, which the recipe names too."""
    import pretrain.dataset
    import pretrain.metric
    import pretrain.model  # noqa: F401 (registers)
    from pretrain.train import task
    from workflow.core.files import read_check
    from workflow.training.timing import measure

    check, state = read_check(check_file), out / "state"
    return measure(run, task(run, check, state), check["counts"]["train"], state)


main = command_line(cost)

if __name__ == "__main__":
    main()
