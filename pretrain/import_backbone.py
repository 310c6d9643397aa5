"""Bring a finished backbone: `python -m pretrain.import_backbone --run JSON --checkpoint FILE --data CHECK --out DIR`.

Reads torchvision's own state dict of a ResNet-50, as safetensors or as a torch file of tensors alone (no pickle runs).
"""

import argparse
import pickle
from pathlib import Path
from typing import Any

from workflow.training.errors import UserError, door


def weights_of(path: Path) -> dict[str, Any]:
    """The tensors of a file; UserError if it holds anything else."""
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist")
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        raise UserError(f"checkpoint {path}: not a file of tensors alone: {str(error).splitlines()[0]}") from None
    if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
        raise UserError(f"checkpoint {path}: not a state dict (a mapping from names to tensors)")
    return content


def checked(path: Path, weights: dict[str, Any]) -> dict[str, Any]:
    """`weights`, if they are exactly torchvision's ResNet-50 (with or without its fc); UserError names what is not."""
    from torchvision.models import resnet50

    classes = len(weights["fc.bias"]) if "fc.bias" in weights else 1
    expected = resnet50(weights=None, num_classes=classes).state_dict()
    required = {key for key in expected if not key.startswith("fc.") and not key.endswith("num_batches_tracked")}
    faults = [f"lacks {key}" for key in sorted(required - weights.keys())]
    faults += [f"has {key}, which a ResNet-50 has not" for key in sorted(weights.keys() - expected.keys())]
    for key in sorted(weights.keys() & expected.keys()):
        if weights[key].shape != expected[key].shape:
            faults.append(f"{key} is {tuple(weights[key].shape)} instead of {tuple(expected[key].shape)}")
    if faults:
        more = f" (and {len(faults) - 3} more)" if len(faults) > 3 else ""
        raise UserError(f"checkpoint {path} is not torchvision's ResNet-50: it {'; it '.join(faults[:3])}{more}")
    absent = {key: value for key, value in expected.items() if key not in weights and not key.startswith("fc.")}
    return {**absent, **weights}


def bring(run: Any, checkpoint: Path, check_file: Path, out: Path) -> None:
    """Publish the file as `backbone.safetensors`, score it if it carries the classes of the data, write the record."""
    from pretrain.backbone import preprocessing, publish
    from pretrain.evaluate import evaluate
    from workflow.training.files import read_json, sha256
    from workflow.training.record import write_record

    check, recipe, published = read_json(check_file), run.recipe, out / "backbone.safetensors"
    weights = checked(checkpoint, weights_of(checkpoint))
    scored = len(weights.get("fc.bias", [])) == len(check["classes"])
    about = {"origin": "brought", "classes": check["classes"] if scored else [], "recipe": run.recipe_hash}
    publish(published, weights, preprocessing(recipe["preprocessing"]), **about, file=sha256(checkpoint))
    metrics = evaluate(published, check, recipe, run.threads) if scored else {}
    protocol = {"epoch": "brought", "split": f"{check['counts']['val']} validation images" if scored else "not scored"}
    write_record(out, run, None, metrics=metrics, protocol=protocol, check=check_file, backbone=published)


@door
def main() -> None:
    """The command line."""
    from workflow.training.run import Run

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run", required=True, help="JSON of the run, as planned")
    parser.add_argument("--checkpoint", required=True, type=Path, help="the file that is brought")
    parser.add_argument("--data", required=True, type=Path, help="result of the ImageNet check")
    parser.add_argument("--out", required=True, type=Path, help="folder of backbone and record")
    args = parser.parse_args()
    bring(Run.parse(args.run), args.checkpoint, args.data, args.out)


if __name__ == "__main__":
    main()
