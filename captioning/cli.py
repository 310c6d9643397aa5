"""`python -m captioning SUBCOMMAND`."""

import json
import sys
from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import (
    BACKBONE,
    COST,
    DATASET_INFO,
    EVIDENCE,
    FIGURE,
    OUT,
    PHOTOS,
    PREDICTIONS,
    PREFLIGHT,
    RUN,
    RUN_SPEC,
    TRAIN,
    Subcommands,
    argument,
    command_line,
)


def train(args: Namespace) -> None:
    """Train the captioner on one backbone."""
    from captioning.train import train

    folders = args.features, args.vocabulary
    train(args.run_spec, args.backbone, *folders, args.dataset_info, args.checkpoint_dir, args.out)


def features(args: Namespace) -> None:
    """Compute the features of a frozen encoder."""
    from captioning.feature_cache import make
    from workflow.training.resume.checkpointing import lock_artifact

    with lock_artifact(args.out) as to_make:
        if to_make:
            make(args.run_spec, args.backbone, args.dataset_info, args.out)


def vocabulary(args: Namespace) -> None:
    """Collect the words that a captioner can say, and the captions as indices of words."""
    from captioning.vocabulary import make
    from workflow.training.resume.checkpointing import lock_artifact

    with lock_artifact(args.out) as to_make:
        if to_make:
            words, captions = make(DatasetInfo.read(args.dataset_info), args.min_word_count, args.out)
            times = f"{args.min_word_count} times or more"
            print(f"vocabulary: {words:,} words seen {times} in {captions:,} training captions")


def preflight(args: Namespace) -> None:
    """Check before any training that there are words to learn, and words to score."""
    from captioning.preflight import check_captions

    check_captions(DatasetInfo.read(args.dataset_info), args.key, args.recipe)


def evaluate(args: Namespace) -> None:
    """Score captions on disk: for a run's own, these are its record's numbers and its per_image.npz, bit for bit."""
    from captioning.evaluate import evaluate

    print(json.dumps(evaluate(args.predictions, args.dataset_info, args.evidence), indent=1))


def qualitative(args: Namespace) -> None:
    """Collect each backbone's captions of the same photos, for the report."""
    from captioning.qualitative import make

    make(dict(args.runs), DatasetInfo.read(args.dataset_info), args.out)


def describe(args: Namespace) -> None:
    """Describe photos with the network of a run that kept it (resources.keep_networks): a line for each."""
    from captioning.describe import on_photos

    print(on_photos(args.run_folder, args.photos, args.out), file=sys.stderr)


def cost(args: Namespace) -> None:
    """Measure what training a captioner costs here (workflow/planning/cost.py)."""
    from captioning.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


FEATURES = argument("--features", "folder of the features, for an encoder that is not fine-tuned", required=False)
SUBCOMMANDS: Subcommands = {
    train: (*TRAIN, FEATURES, argument("--vocabulary", "folder of the vocabulary")),
    features: (RUN_SPEC, BACKBONE, DATASET_INFO, OUT),
    vocabulary: (DATASET_INFO, argument("--min-word-count", "count from which a word is learnt", type=int), OUT),
    preflight: PREFLIGHT,
    evaluate: (PREDICTIONS, DATASET_INFO, EVIDENCE),
    qualitative: FIGURE,
    describe: (RUN, PHOTOS, argument("--out", "write COCO caption results to this file (JSON)", required=False)),
    cost: COST,
}
main = command_line("captioning", "Transfer to captioning.", SUBCOMMANDS)
