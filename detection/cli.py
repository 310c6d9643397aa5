"""`python -m detection SUBCOMMAND`."""

import json
from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import (
    COST,
    DATASET_INFO,
    EVIDENCE,
    FIGURE,
    OUT,
    PHOTOS,
    PREDICTIONS,
    RUN,
    TRAIN,
    Subcommands,
    argument,
    command_line,
)


def train(args: Namespace) -> None:
    """Fine-tune one backbone for detection."""
    from detection.train import train

    train(args.run_spec, args.backbone, args.dataset_info, args.checkpoint_dir, args.out)


def evaluate(args: Namespace) -> None:
    """Score detections on disk: for a run's own, these are its record's numbers and its per_image.npz, bit for bit."""
    from detection.evaluate import evaluate

    print(json.dumps(evaluate(args.predictions, DatasetInfo.read(args.dataset_info), args.evidence), indent=1))


def visualize(args: Namespace) -> None:
    """Draw each backbone's detections on the same test images, next to the truth."""
    from detection.visualize import make

    make(dict(args.runs), DatasetInfo.read(args.dataset_info), args.out)


def predict(args: Namespace) -> None:
    """Detect objects on photos with the network of a run that kept it (resources.keep_networks)."""
    from detection.predict import on_photos

    print(on_photos(args.run_folder, args.photos, args.out, args.score_threshold))


def cost(args: Namespace) -> None:
    """Measure what fine-tuning a detector costs here (workflow/planning/cost.py)."""
    from detection.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


THRESHOLD = argument(
    "--score-threshold",
    "lowest score of a box that is drawn (default: the score at which F1 on the run's test images is highest)",
    required=False,
    type=float,
)
SUBCOMMANDS: Subcommands = {
    train: TRAIN,
    evaluate: (PREDICTIONS, DATASET_INFO, EVIDENCE),
    visualize: FIGURE,
    predict: (RUN, PHOTOS, OUT, THRESHOLD),
    cost: COST,
}
main = command_line("detection", "Transfer to detection.", SUBCOMMANDS)
