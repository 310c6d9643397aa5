"""Are the data enough for what a config asks of them? No schema can say: it takes what a data check has counted.

Said before anything is trained: by the job of the check (`python -m workflow.enough`), and where the check is there
already, by Snakemake as soon as it is called: a changed batch repeats no check.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from workflow.reading import relative
from workflow.training.errors import UserError, door
from workflow.training.files import read_check, read_json

PHOTOS, OBJECTS, CAPTIONS = "training images", "training images with an object", "training captions"
KINDS = {OBJECTS: "instances", CAPTIONS: "captions"}  # COCO's annotation files that they stand in
LEARNT = {  # task: its data set, and what a batch of it is made of
    "ssd_voc": ("voc", OBJECTS),
    "faster_rcnn_voc": ("voc", OBJECTS),
    "faster_rcnn_coco": ("coco", OBJECTS),
    "nic_coco": ("coco", CAPTIONS),
}


def needs(config: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """What a config asks of data set `name`, a recipe an entry: JSON. `at`: the keys that are named in a message."""
    found = [need(PHOTOS, *pretraining(config, row)) for row in config["backbones"] if name == "imagenet"]
    for task, recipe in config["tasks"].items():
        if LEARNT[task][0] == name:
            found.append(need(LEARNT[task][1], recipe, {key: f"tasks.{task}.{key}" for key in recipe}))
    return [each for number, each in enumerate(found) if each and each not in found[:number]]


def pretraining(config: dict[str, Any], row: str) -> tuple[dict[str, Any], dict[str, str]]:
    """(the recipe that a backbone is pretrained by, where each of its keys stands); an empty one if it is not."""
    backbone = config["backbones"][row]
    if "checkpoint" in backbone or "init" in backbone:
        return {}, {}
    own = backbone.get("pretrain", {})
    recipe = config["pretrain"] | own
    return recipe, {key: f"backbones.{row}.pretrain.{key}" if key in own else f"pretrain.{key}" for key in recipe}


def need(of: str, recipe: dict[str, Any], keys: dict[str, str]) -> dict[str, Any]:
    """What of a recipe the size of the data must allow."""
    kept = {key: recipe[key] for key in ("batch", "warmup", "epochs", "threshold") if key in recipe}
    return kept and {"of": of, **kept, "at": {key: keys[key] for key in kept}}


def counted(check: dict[str, Any]) -> dict[str, int]:
    """How many training samples a check has found, of each kind."""
    counts = check.get("counts", {})
    found = {PHOTOS: counts.get("train"), OBJECTS: check.get("with_object"), CAPTIONS: counts.get("train_captions")}
    return {kind: number for kind, number in found.items() if number is not None}


def faults(check: dict[str, Any], needed: list[dict[str, Any]]) -> Iterator[str]:
    """A line for each value of the config that the data are too few for; `check`: CHECK.json's content."""
    numbers = counted(check)
    for each in needed:
        kind = KINDS.get(each["of"])
        if "kinds" in check and kind not in check["kinds"]:
            task = each["at"]["batch"].rpartition(".")[0]
            yield f"{task}: {check['root']} has no {kind}: annotations/{kind}_train2014.json is missing"
            return
    for each in (each for each in needed if each["of"] in numbers):
        number, batch, at = numbers[each["of"]], each["batch"], each["at"]
        if number < batch:
            yield f"{at['batch']}: {batch} is more than the {number} {each['of']} in {check['root']}"
        elif "epochs" in each and 0 < (end := each["epochs"] * (number // batch)) <= each.get("warmup", 0):
            having = f"{end} iterations, with the {number} {each['of']} in {check['root']}"
            yield f"{at['warmup']}: {each['warmup']} is not before the end ({having})"


def refuse_too_few(config: dict[str, Any], checks: dict[str, str], files: Sequence[str | Path]) -> None:
    """UserError if data that were checked are too few for this config; `files`: its own."""
    name = ", ".join(map(relative, files))
    for data, check in checks.items():
        if Path(check).exists():
            for fault in faults(read_json(check), needs(config, data)):
                raise UserError(f"{name}: {fault}, as counted in {check}; remove that if there are more by now")


def words(check: str | Path, threshold: int) -> bool:
    """Are there words to learn and to score? The door says what is missing. In a process of its own: tokens are a
    matter of the captioner."""
    call = [sys.executable, "-m", "captioning.preflight", "--data", str(check), "--threshold", str(threshold)]
    return not subprocess.run(call, check=False).returncode


@door
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Are checked data enough for what a config asks of them?")
    parser.add_argument("--needs", required=True, type=json.loads, help="what it asks, as planned: JSON")
    parser.add_argument("--data", required=True, type=Path, help="result of the data check")
    args = parser.parse_args()
    for fault in faults(read_check(args.data), args.needs):
        raise UserError(fault)
    if not all(words(args.data, each["threshold"]) for each in args.needs if "threshold" in each):
        raise SystemExit(1)


if __name__ == "__main__":
    main()
