"""The negative control: a ResNet-50 that has seen nothing.

`python -m pretrain.random_backbone --run JSON --data CHECK.json --out DIR`
"""

import argparse
from pathlib import Path
from typing import Any

from workflow.training.errors import door


def make(run: Any, check_file: Path, out: Path) -> None:
    """Publish torchvision's initialisation, drawn from the pretraining seed, and a record without numbers."""
    from torchvision.models import resnet50

    from pretrain.backbone import IMAGENET, publish
    from pretrain.card import write_card
    from pretrain.metric import leave
    from workflow.training.counted import seed_everything
    from workflow.training.files import read_check
    from workflow.training.record import made_of, write_record

    check = read_check(check_file)
    of, classes = made_of(run, check, None), check["classes"]
    seed_everything(run.seed, "init")
    zero = run.recipe["zero_init_residual"]  # without it, frozen batch norm lets random features grow beyond bounds
    network = resnet50(weights=None, num_classes=len(classes), zero_init_residual=zero)
    about = {"origin": "random", "classes": classes, "recipe": run.recipe_hash}
    publish(out / "backbone.safetensors", network.state_dict(), IMAGENET, **about)
    protocol = {"epoch": "untrained", "split": "not scored"}
    leave(out / "evidence.npz", f"{check['root']}/val", [])
    write_card(out, run, check_file, of=of, metrics={}, protocol=protocol)
    write_record(out, run, None, of=of, metrics={}, protocol=protocol, check=check_file,
                 backbone=out / "backbone.safetensors")  # fmt: skip


@door
def main() -> None:
    """The command line."""
    from workflow.training.run import Run

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="JSON of the run, as planned")
    parser.add_argument("--data", required=True, type=Path, help="result of the ImageNet check")
    parser.add_argument("--out", required=True, type=Path, help="folder of backbone, card and record")
    args = parser.parse_args()
    make(Run.parse(args.run), args.data, args.out)


if __name__ == "__main__":
    main()
