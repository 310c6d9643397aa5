"""`python -m robustness SUBCOMMAND`."""

from argparse import Namespace

from workflow.planning.command_line import COST, FIGURE, TRAIN, Subcommands, command_line


def evaluate(args: Namespace) -> None:
    """Score the classifier of one backbone under attacks, corruptions or other images."""
    from robustness.evaluate import evaluate

    evaluate(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def curves(args: Namespace) -> None:
    """Draw the curves of each protocol, a line a backbone with its interval."""
    from robustness.curves import make

    make(dict(args.runs), args.out)


def cost(args: Namespace) -> None:
    """Measure what an evaluation costs here."""
    from robustness.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


SUBCOMMANDS: Subcommands = {evaluate: TRAIN, curves: FIGURE, cost: COST}
main = command_line("robustness", "Robustness of published classifiers.", SUBCOMMANDS)
