"""The command line of a room, `python -m ROOM SUBCOMMAND`, and the arguments that several subcommands have, with one
wording each. A room's `cli.py` loads no heavy library: a subcommand imports its module when it runs."""

import argparse
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from workflow.core.errors import UserError, cli_entry_point
from workflow.planning.run_spec import RunSpec

Argument = tuple[str, dict[str, Any]]  # flag, and what argparse gets with it
Subcommands = Mapping[Callable[[argparse.Namespace], None], tuple[Argument, ...]]


def argument(flag: str, about: str, **options: Any) -> Argument:
    """A required argument, a path unless `options` of argparse say otherwise."""
    return flag, {"help": about, "required": True, "type": Path, **options}


def run_folder(text: str) -> tuple[str, Path]:
    """`NAME=FOLDER`: a backbone and the folder of its run; UserError if the folder is missing."""
    name, sign, folder = text.partition("=")
    if not sign or not Path(folder).is_dir():
        raise UserError(f"--runs {text}: must be a backbone's name, = and the folder of its run")
    return name, Path(folder)


RUN_SPEC = argument(
    "--run-spec", "the run, as planned (`snakemake -n -p` shows it)", type=RunSpec.parse, metavar="JSON"
)
BACKBONE = argument("--backbone", "published backbone.safetensors")
DATASET_INFO = argument("--dataset-info", "result of the data check (CHECK.json)")
CHECKPOINT_DIR = argument("--checkpoint-dir", "folder of the resume state, where a failure leaves its reason")
OUT = argument("--out", "folder of the results")
PREDICTIONS = argument("--predictions", "COCO results (JSON)")
EVIDENCE = argument("--evidence", "write the scores of each image to this per_image.npz", required=False)
RUN = argument("--run", "folder of a run that kept its network: of its metrics.json", dest="run_folder")
PHOTOS = ("photos", {"help": "photos, or folders of photos", "type": Path, "nargs": "+", "metavar": "PHOTO"})

IN_DISTRIBUTION = argument("--in-distribution", "check of the pretraining set (CHECK.json)", required=False)

TRAIN = (RUN_SPEC, BACKBONE, DATASET_INFO, CHECKPOINT_DIR, OUT)  # a run of a task
PREFLIGHT = (  # workflow.contracts.Task.preflight
    DATASET_INFO,
    argument("--key", "section of the recipe in the config", type=str),
    argument("--recipe", "that section", type=json.loads, metavar="JSON"),
)
COST = (RUN_SPEC, DATASET_INFO, OUT, argument("--network", "name of the backbone's network", type=str))
FIGURE = (  # workflow.contracts.Figure
    argument("--runs", "runs of one task", type=run_folder, nargs="+", metavar="BACKBONE=FOLDER"),
    DATASET_INFO,
    argument("--out", "file to write"),
)


def command_line(room: str, about: str, subcommands: Subcommands) -> Callable[[], None]:
    """The `main` of a room.

    Args:
        room: its package.
        about: what it does, for --help.
        subcommands: function(arguments) to its arguments. Its name is that of the subcommand, its docstring the help.
    """

    @cli_entry_point
    def main() -> None:
        parser = argparse.ArgumentParser(prog=f"python -m {room}", description=about)
        parsers = parser.add_subparsers(metavar="SUBCOMMAND", required=True)
        for run, arguments in subcommands.items():
            text = str(run.__doc__)
            inner = parsers.add_parser(run.__name__, help=text.partition("\n")[0], description=text)
            inner.set_defaults(run=run)
            for flag, options in arguments:
                inner.add_argument(flag, **options)
        args = parser.parse_args()
        args.run(args)

    return main
