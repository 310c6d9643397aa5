"""`python -m localization SUBCOMMAND`."""

from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import COST, FIGURE, TRAIN, Subcommands, command_line


def train(args: Namespace) -> None:
    """Fine-tune one backbone on classes, and test its boxes."""
    from localization.train import train

    train(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def evaluate(args: Namespace) -> None:
    """Score the boxes of one finished classifier."""
    from localization.evaluate import evaluate

    evaluate(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def maps(args: Namespace) -> None:
    """Draw each backbone's maps of the same photos, with the boxes found and the true ones."""
    from localization.visualize import maps

    maps(dict(args.runs), DatasetInfo.read(args.dataset_info), args.out)


def curves(args: Namespace) -> None:
    """Draw the box accuracy of each backbone over thresholds."""
    from localization.visualize import curves

    curves(dict(args.runs), args.out)


def cost(args: Namespace) -> None:
    """Measure what localization costs here (workflow/planning/cost.py)."""
    from localization.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


SUBCOMMANDS: Subcommands = {train: TRAIN, evaluate: TRAIN, maps: FIGURE, curves: FIGURE, cost: COST}
main = command_line("localization", "Weakly supervised object localization.", SUBCOMMANDS)
