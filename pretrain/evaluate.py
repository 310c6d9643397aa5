"""Score a published backbone on ImageNet val: `python -m pretrain.evaluate --backbone FILE --data CHECK.json`.

Checked: for a pretrained backbone these are the numbers of its record.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from workflow.training.errors import UserError, door


def evaluate(backbone: Path, check: dict[str, Any], recipe: dict[str, Any], threads: int) -> dict[str, float]:
    """`top1_error` and `top5_error` in percent of a backbone with its classifier, by its own preprocessing.

    `recipe` gives resize, size, batch and precision. UserError if `fc` is absent or has other classes than the data.
    """
    import torch
    from torch.utils.data import DataLoader

    from pretrain.backbone import read
    from pretrain.dataset import ImageNetVal
    from pretrain.metric import TopError
    from pretrain.model import Classifier
    from workflow.training.hooks import autocast

    weights, prepare = read(backbone)
    classes = len(weights.get("fc.bias", []))
    if classes != len(check["classes"]):
        raise UserError(f"{backbone}: its fc has {classes} classes, the data have {len(check['classes'])}")
    torch.set_num_threads(threads)
    model, metric = Classifier(classes).eval().to(memory_format=torch.channels_last), TopError()
    model.network.load_state_dict(weights)
    model.prepare = prepare
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    model.to(device)
    with torch.no_grad(), autocast(recipe["precision"]):
        for batch in DataLoader(ImageNetVal(f"{check['root']}/val", recipe), recipe["batch"]):
            metric.process(None, model(**{k: v.to(device) for k, v in batch.items()}, mode="predict"))
    return metric.compute_metrics(metric.results)


@door
def main() -> None:
    """The command line."""
    from workflow.training.files import read_json

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", required=True, type=Path, help="a backbone.safetensors that carries its fc")
    parser.add_argument("--data", required=True, type=Path, help="result of the ImageNet check")
    parser.add_argument("--config", required=True, type=Path, help="config.json beside the record: sizes, precision")
    args = parser.parse_args()
    run = read_json(args.config)
    print(json.dumps(evaluate(args.backbone, read_json(args.data), run["recipe"], run["threads"]), indent=1))


if __name__ == "__main__":
    main()
