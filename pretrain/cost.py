"""What pretraining costs here: `python -m pretrain.cost --run JSON --data CHECK.json --out DIR`.

Writes cost.json. See workflow/cost.py.
"""

from pathlib import Path
from typing import Any

from workflow.training.asked import asked
from workflow.training.errors import door


def cost(run: Any, check_file: Path, out: Path) -> None:
    """A short pretraining."""
    import pretrain.dataset
    import pretrain.metric
    import pretrain.model  # noqa: F401 (registers)
    from pretrain.train import task
    from workflow.training.files import read_check, write_json
    from workflow.training.timing import measure, shortened

    check, run = read_check(check_file), shortened(run)
    state = out / "state"
    write_json(out / "cost.json", measure(run, task(run, check, state), check["counts"]["train"], state))


@door
def main() -> None:
    """The command line."""
    asked(cost, __doc__)


if __name__ == "__main__":
    main()
