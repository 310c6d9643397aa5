"""The command line of each task's `cost` module: which run to measure, on what, and where to write its seconds."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow.core.errors import cli_entry_point


def command_line(cost: Callable[[Any, Path, Path, str], dict[str, float]]) -> Callable[[], None]:
    """The command of a `cost` module, which writes cost.json.

    Args:
        cost: function(shortened run, check of its data, a folder to work in, name of the network) that gives seconds:
            of a step (`step`), of a test image (`image`), and of a unit of each shared artifact (its name).
    """

    @cli_entry_point
    def main() -> None:
        parser = argparse.ArgumentParser(description=cost.__doc__)
        parser.add_argument("--run-spec", required=True, help="JSON of a run, as planned")
        parser.add_argument("--dataset-info", required=True, type=Path, help="result of the data check")
        parser.add_argument("--out", required=True, type=Path, help="folder of cost.json")
        parser.add_argument("--network", required=True, help="name of the backbone's network")
        args = parser.parse_args()
        from workflow.core.files import write_json
        from workflow.planning.run_spec import RunSpec
        from workflow.training.timing import device, shortened

        run = RunSpec.parse(args.run_spec)
        seconds = cost(shortened(run), args.dataset_info, args.out, args.network)
        write_json(args.out / "cost.json", seconds | {"device": device(run)})

    return main
