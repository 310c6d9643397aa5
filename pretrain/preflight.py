"""Look at what no data check alone can see, before anything is trained: brought files that are no ResNet-50, batches
that are larger than the data. `python -m pretrain.preflight --demands JSON --out FILE`."""

import argparse
import json
from pathlib import Path
from typing import Any

from workflow.training.errors import UserError, door


def enough(batches: dict[str, Any]) -> None:
    """UserError if a batch is larger than what it is drawn from."""
    from workflow.training.files import read_json

    for key, (batch, check, counted) in batches.items():
        content = read_json(check)
        there = sum(content["counts"][part] for part in counted)
        if there < batch:
            raise UserError(f"{key}: {batch} is more than the {there} training samples of {content['root']}")


def readable(brought: dict[str, Any]) -> None:
    """UserError if a brought file cannot become a backbone as it is declared."""
    if brought:
        from pretrain.import_backbone import weights_of
    for recipe in brought.values():
        weights_of(Path(recipe["checkpoint"]), recipe)


@door
def main() -> None:
    """The command line."""
    from workflow.training.files import write_json

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demands", required=True, type=json.loads, help="JSON, as planned")
    parser.add_argument("--out", required=True, type=Path, help="written if all is well")
    args = parser.parse_args()
    enough(args.demands["batches"])
    readable(args.demands["brought"])
    write_json(args.out, args.demands)


if __name__ == "__main__":
    main()
