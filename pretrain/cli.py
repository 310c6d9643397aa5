"""`python -m pretrain SUBCOMMAND`."""

import json
from argparse import Namespace

from workflow.core.dataset_info import DatasetInfo
from workflow.planning.command_line import (
    BACKBONE,
    CHECKPOINT_DIR,
    COST,
    DATASET_INFO,
    EVIDENCE,
    FIGURE,
    OUT,
    RUN_SPEC,
    Subcommands,
    argument,
    command_line,
)


def train(args: Namespace) -> None:
    """Pretrain one backbone."""
    from pretrain.train import train

    train(args.run_spec, args.dataset_info, args.checkpoint_dir, args.out)


def import_backbone(args: Namespace) -> None:
    """Score a finished network on the test images and publish it.

    The file is one of torch or safetensors, of torchvision, timm, mmpretrain and others. No code of it runs.
    """
    from pretrain.import_backbone import import_backbone

    import_backbone(args.run_spec, args.checkpoint, args.dataset_info, args.checkpoint_dir, args.out)


def random_backbone(args: Namespace) -> None:
    """Publish a network with random weights, the negative control."""
    from pretrain.random_backbone import random_backbone

    random_backbone(args.run_spec, args.dataset_info, args.checkpoint_dir, args.out)


def preflight(args: Namespace) -> None:
    """Open checkpoints as `import_backbone` will, but score and publish nothing."""
    from pretrain.import_backbone import preflight

    preflight(args.recipes, args.scored_by)


def evaluate(args: Namespace) -> None:
    """Score a published backbone on the test images: of a pretrained one, these are the numbers of its record."""
    from pretrain.evaluate import evaluate
    from workflow.core.files import read_json

    run = read_json(args.config, "recipe", "threads")
    found = evaluate(args.backbone, DatasetInfo.read(args.dataset_info), run["recipe"], run["threads"], args.evidence)
    print(json.dumps(found, indent=1))


def gallery(args: Namespace) -> None:
    """Draw photos as each row's regularizers change them."""
    from pretrain.gallery import make

    make(args.config, args.dataset_info, args.out)


def cam(args: Namespace) -> None:
    """Draw the class activation maps of each backbone on the same photos."""
    from pretrain.cam import make

    make(dict(args.runs), DatasetInfo.read(args.dataset_info), args.out)


def cost(args: Namespace) -> None:
    """Measure what pretraining costs here (workflow/planning/cost.py)."""
    from pretrain.cost import cost
    from workflow.training.timing import write_cost

    write_cost(cost, args.run_spec, args.dataset_info, args.out, args.network)


PUBLISH = (RUN_SPEC, DATASET_INFO, CHECKPOINT_DIR, OUT)
SUBCOMMANDS: Subcommands = {
    train: PUBLISH,
    import_backbone: (*PUBLISH, argument("--checkpoint", "file of the finished network")),
    random_backbone: PUBLISH,
    preflight: (
        argument("--recipes", "recipes of checkpoints, as planned", type=json.loads, metavar="JSON"),
        argument("--scored-by", "tasks that need a classifier", required=False, type=str, nargs="*", default=[]),
    ),
    evaluate: (BACKBONE, DATASET_INFO, argument("--config", "config.json next to the record"), EVIDENCE),
    gallery: (argument("--config", "config file, or its content as JSON", type=str), *FIGURE[1:]),
    cam: FIGURE,
    cost: COST,
}
main = command_line("pretrain", "Classification, which makes every backbone.", SUBCOMMANDS)
