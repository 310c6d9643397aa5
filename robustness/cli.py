"""`python -m robustness SUBCOMMAND`."""

from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import (
    COST,
    FIGURE,
    IN_DISTRIBUTION,
    PREFLIGHT,
    TRAIN,
    Subcommands,
    command_line,
)


def evaluate(args: Namespace) -> None:
    """Score the classifier of one backbone under attacks, corruptions, or on other images."""
    from robustness.evaluate import evaluate

    files = args.backbone, args.dataset_info, args.checkpoint_dir, args.out
    evaluate(args.run_spec, *files, args.in_distribution)


def preflight(args: Namespace) -> None:
    """Check before any training that the sets of a recipe are there."""
    from robustness.preflight import check_sets

    check_sets(DatasetInfo.read(args.dataset_info), args.key, args.recipe)


def curves(args: Namespace) -> None:
    """Draw the curves of each protocol, a line a backbone with its interval."""
    from robustness.curves import make

    make(dict(args.runs), args.out)


def cost(args: Namespace) -> None:
    """Measure what an evaluation costs here."""
    from robustness.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


SUBCOMMANDS: Subcommands = {evaluate: (*TRAIN, IN_DISTRIBUTION), preflight: PREFLIGHT, curves: FIGURE, cost: COST}
main = command_line("robustness", "Robustness of published classifiers.", SUBCOMMANDS)
