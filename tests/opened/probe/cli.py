"""`python -m probe SUBCOMMAND`."""

from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import COST, FIGURE, TRAIN, Subcommands, command_line


def train(args: Namespace) -> None:
    """Train a linear probe on one backbone."""
    from probe.train import train

    train(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def evaluate(args: Namespace) -> None:
    """Score one backbone by the nearest class mean of its features."""
    from probe.evaluate import evaluate

    evaluate(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def confusion(args: Namespace) -> None:
    """Draw which classes a probe confuses."""
    from probe.confusion import make

    make(dict(args.runs), DatasetInfo.read(args.dataset_info), args.out)


def cost(args: Namespace) -> None:
    """Measure what a probe costs here."""
    from probe.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


SUBCOMMANDS: Subcommands = {train: TRAIN, evaluate: TRAIN, confusion: FIGURE, cost: COST}
main = command_line("probe", "Probes of frozen features.", SUBCOMMANDS)
