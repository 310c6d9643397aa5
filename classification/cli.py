"""`python -m classification SUBCOMMAND`."""

from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import (
    BACKBONE,
    COST,
    DATASET_INFO,
    OUT,
    PREFLIGHT,
    RUN_SPEC,
    TRAIN,
    Subcommands,
    argument,
    command_line,
)


def train(args: Namespace) -> None:
    """Fine-tune one backbone on a set."""
    from classification.train import train

    train(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def evaluate(args: Namespace) -> None:
    """Classify a set by the frozen features of one backbone."""
    from classification.evaluate import evaluate

    evaluate(args.run_spec, args.backbone, args.embeddings, args.dataset_info, args.checkpoint_dir, args.out)


def embeddings(args: Namespace) -> None:
    """Compute the frozen features of all images of a set."""
    from classification.embeddings import make
    from workflow.training.resume.checkpointing import lock_artifact

    with lock_artifact(args.out) as to_make:
        if to_make:
            make(args.run_spec, args.backbone, args.dataset_info, args.out)


def preflight(args: Namespace) -> None:
    """Check before any training that a set has enough images for a recipe."""
    from classification.preflight import check_counts

    check_counts(DatasetInfo.read(args.dataset_info), args.key, args.recipe)


def cost(args: Namespace) -> None:
    """Measure what a task costs here (workflow/planning/cost.py)."""
    from classification.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


SUBCOMMANDS: Subcommands = {
    train: TRAIN,
    evaluate: (*TRAIN, argument("--embeddings", "folder of the features")),
    embeddings: (RUN_SPEC, BACKBONE, DATASET_INFO, OUT),
    preflight: PREFLIGHT,
    cost: COST,
}
main = command_line("classification", "Transfer to a classification set.", SUBCOMMANDS)
