"""Bring a finished ResNet-50: its weights are read (no code of the file runs), compared with torchvision's network,
scored on ImageNet val where they carry a classifier of its classes, and published with a card and a record.

Reads state dicts of torchvision and timm (torch files and safetensors), training checkpoints of timm, torchvision, the
CutMix reference code and mmpretrain, with an EMA or without, and backbones that this workflow has published.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from workflow.training.errors import UserError, door

CAUSES = (
    "channel order, mean or std (preprocessing), the place of the stride (stride: 1x1 in Caffe's networks), "
    "another order of the classes, or other classes of the same number"
)


def weights_of(path: Path, recipe: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the weights of a brought file, complete and in fp32; what was found in it, for the record and the card).

    UserError if the file is not what was planned, is no ResNet-50, or contradicts what the config declares of it.
    """
    from pretrain import backbone
    from pretrain.architecture import checked
    from pretrain.checkpoint import contents
    from pretrain.layouts import found
    from workflow.training.files import sha256

    content, metadata = contents(path)
    if sha256(path) != recipe["sha256"]:
        raise UserError(f"checkpoint {path}: the file has changed since the run was planned; plan it again")
    file = found(path, content, recipe["weights"], published=backbone.KEY in metadata)
    weights = checked(path, file.weights)
    if backbone.KEY in metadata:
        agree(path, json.loads(metadata[backbone.KEY]), recipe)
    about = {
        "file": path.name,
        "sha256": recipe["sha256"],
        "layout": file.layout,
        "weights": file.which,
        "matched": len(file.weights),
        "left_over": file.left_over,
        "classes": len(weights.get("fc.bias", [])),
    }
    return weights, about


def agree(path: Path, about: dict[str, Any], recipe: dict[str, Any]) -> None:
    """UserError if a published backbone says otherwise of its input and stride than the config does."""
    from dataclasses import asdict

    from pretrain.backbone import STRIDE, preprocessing

    declared = {**asdict(preprocessing(recipe["preprocessing"])), "stride": recipe["stride"]}
    for key, value in json.loads(json.dumps(declared)).items():
        own = about.get(key, STRIDE)
        if own != value:
            raise UserError(f"checkpoint {path}: its own metadata say {key} {own}, the config says {value}: declare it")


def tell(name: str, about: dict[str, Any], classes: int) -> None:
    """What was found, on the terminal."""
    from pretrain.layouts import SETS

    left = about["left_over"]
    some = f": {', '.join(left[:5])}{' ...' * (len(left) > 5)}" if left else ""
    print(f"[{name}] {about['file']}: {about['layout']}, {SETS[about['weights']]}")
    print(f"[{name}] {about['matched']} keys matched, {len(left)} left over{some}")
    print(f"[{name}] {verdict(about['classes'], classes)}", flush=True)


def verdict(own: int, classes: int) -> str:
    """Whether a file with a classifier of `own` classes can be scored on data of `classes`."""
    if not own:
        return "not scored: the file has no fc"
    if own != classes:
        return f"not scored: its fc, which is kept, has {own} classes, and the data have {classes}"
    return f"its fc has the data's {classes} classes: scored on ImageNet val before it is published"


def refuse_chance(checkpoint: Path, metrics: dict[str, float], check: dict[str, Any]) -> None:
    """UserError if the scores of a backbone are those of guessing."""
    from pretrain.evaluate import near_chance

    classes, images = len(check["classes"]), check["counts"]["val"]
    if near_chance(metrics["top1_error"], classes, images):
        raise UserError(
            f"checkpoint {checkpoint}: right on {100 - metrics['top1_error']:.2f} % of {images} validation images of "
            f"{classes} classes, which is near chance; nothing is published. Likely causes: {CAUSES}"
        )


def bring(run: Any, checkpoint: Path, check_file: Path, out: Path) -> None:
    """Publish the file as `backbone.safetensors`, but score it first if it carries the classes of the data.

    What is published follows from the file and what is declared of it alone, whatever data it is scored on.
    """
    from pretrain.backbone import preprocessing, publish
    from pretrain.card import write_card
    from pretrain.evaluate import score
    from workflow.training.files import read_json
    from workflow.training.record import write_record

    check, recipe, published = read_json(check_file), run.recipe, out / "backbone.safetensors"
    weights, about = weights_of(checkpoint, recipe)
    tell(run.name, about, len(check["classes"]))
    prepare, stride, metrics = preprocessing(recipe["preprocessing"]), recipe["stride"], {}
    split = verdict(about["classes"], len(check["classes"]))
    if about["classes"] == len(check["classes"]):
        metrics = score(weights, prepare, stride, check, recipe, run.threads)
        split = f"{check['counts']['val']} validation images, resize {recipe['resize']}, crop {recipe['size']}"
        print(f"[{run.name}] " + ", ".join(f"{key} {value:.2f} %" for key, value in metrics.items()), flush=True)
        refuse_chance(checkpoint, metrics, check)
    made_of = {"file": about["sha256"], "layout": about["layout"], "weight_set": about["weights"]}
    publish(published, weights, prepare, stride, origin="brought", **made_of)
    protocol = {"epoch": "brought", "split": split}
    about |= {"stride": stride}
    write_card(out, run, check_file, metrics=metrics, protocol=protocol, brought=about)
    write_record(out, run, None, metrics=metrics, protocol=protocol, check=check_file, backbone=published,
                 checkpoint=about)  # fmt: skip


@door
def main() -> None:
    """The command line."""
    from workflow.training.run import Run

    parser = argparse.ArgumentParser(
        prog="python -m pretrain.import_backbone", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--run", required=True, help="JSON of the run, as planned (`snakemake -n -p` shows it)")
    parser.add_argument("--checkpoint", required=True, type=Path, help="the file that is brought")
    parser.add_argument("--data", required=True, type=Path, help="result of the ImageNet check (JSON)")
    parser.add_argument("--out", required=True, type=Path, help="folder of backbone.safetensors, its card and record")
    args = parser.parse_args()
    bring(Run.parse(args.run), args.checkpoint, args.data, args.out)


if __name__ == "__main__":
    main()
