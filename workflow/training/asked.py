"""The command line that each task's cost door has: which run to measure, on what, and where to say it."""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any


def asked(cost: Callable[[Any, Path, Path], None], about: str | None) -> None:
    """Call `cost` with the run, the check of its data and the folder of cost.json."""
    from workflow.training.run import Run

    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--run", required=True, help="JSON of a run, as planned")
    parser.add_argument("--data", required=True, type=Path, help="result of the data check")
    parser.add_argument("--out", required=True, type=Path, help="folder of cost.json")
    args = parser.parse_args()
    cost(Run.parse(args.run), args.data, args.out)
