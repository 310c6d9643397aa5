"""Command lines that are given what they are not for: files that are missing, empty, of bytes, of something else."""

import json
from pathlib import Path

from tests.bad.cases import Case, Damage, several, write
from tests.bad.configs import DEMO
from workflow.core.files import hashed

WORDS = "words.json"  # holds the words of a command line
BYTES = b"\xff\xfe\x00\x01" * 100
GONE = "gone/annotations/captions_train2014.json: the annotation file is missing; …"
NONE = "No such file or directory"
RUN = json.dumps({"task": "pretrain", "backbone": "a", "seeds": {"pretrain": 0}, "recipe": {}, "data": {},
                  "threads": 1, "workers": 0, "gpus": 0})  # fmt: skip
ABOUT = {"set": "coco", "split": "2014", "root": "gone", "fingerprint": "0", "classes": ["a"], "counts": {"train": 2}}
COCO = json.dumps(hashed(ABOUT))


def typed(*words: str) -> Damage:
    """A command line."""
    return write(WORDS, json.dumps(words))


def door(what: str, said: str, *words: str, file: str | bytes | None = None) -> Case:
    """A command line of these words; `file`: what stands in `größe 漢 x` beside it."""
    return Case(what, said, several(typed(*words), *([write(ODD, file)] if file is not None else [])))


ODD = "größe 漢 x"
RECIPE = ("--key", "tasks.nic_coco", "--recipe", '{"min_word_count": 1}')
DATA = ("--dataset-info", ODD, *RECIPE)
WORDS_OUT = ("--dataset-info", ODD, "--min-word-count", "1", "--out", "words")
SCORED = ("--predictions", ODD, "--dataset-info", "check")
TRAINED = ("--run-spec", RUN, "--dataset-info", ODD, "--checkpoint-dir", ".work/x", "--out", "results/backbones/a")
SETS = ("--key", "tasks.ood_imagenet", "--recipe", '{"sets": {"near": ["uniform", "ninco"]}}')
DOORS = {
    "backbones export": [
        door("no such backbone", f"{ODD}/config.json: {NONE}", ODD, "--out", "x"),
        door("a file for the folder of a backbone", f"{ODD}/config.json: Not a directory", ODD, "--out", "x", file=""),
    ],
    "classification preflight": [
        door("no such check", f"{ODD}: {NONE}", "--dataset-info", ODD, "--key", "tasks.knn", "--recipe", '{"k": 1}'),
    ],
    "captioning preflight": [
        door("no such check", f"{ODD}: {NONE}", *DATA),
        door("a folder for a check", ".: Is a directory", "--dataset-info", ".", *RECIPE),
        door("an empty check", f"{ODD}: not valid JSON: Expecting value: …", *DATA, file=""),
        door("a check of bytes", f"{ODD}: not valid JSON: 'utf-8' codec can't decode byte 0xff …", *DATA, file=BYTES),
        door("a check nested 100,000 deep", f"{ODD}: not valid JSON: …", *DATA, file="[" * 100_000),
        door("a check that is a list", f"{ODD}: it has no 'set'", *DATA, file="[1]"),
        door("a config for a check", f"{ODD}: it has no 'set'", *DATA, file=json.dumps(DEMO)),
        door("the check of a folder that is gone", GONE, *DATA,
             file=COCO),
        door("a check that was edited", f"{ODD}: damaged: its content is not what was written; …", *DATA,
             file=COCO.replace("gone", "here")),
        door("a check without its hash", f"{ODD}: it has no 'sha256'", *DATA, file=json.dumps(ABOUT)),
    ],
    "robustness preflight": [
        door("no such check", f"{ODD}: {NONE}", "--dataset-info", ODD, *SETS),
        door("a set that the data lack", "tasks.ood_imagenet.sets.near[1]: gone has no set ninco (it has a, …)",
             "--dataset-info", ODD, *SETS, file=COCO),
    ],
    "captioning vocabulary": [
        door("no such check", f"{ODD}: {NONE}", *WORDS_OUT),
        door("a check of something else", f"{ODD}: it has no 'set'", *WORDS_OUT, file="{}"),
        door("the check of a folder that is gone", GONE, *WORDS_OUT,
             file=COCO),
    ],
    "workflow.planning.dataset_size": [
        door("no such check", f"{ODD}: {NONE}", "--required-sizes", "[]", "--dataset-info", ODD)],
    "captioning describe": [
        door("no such photo", f"{ODD}: {NONE}", "--run", ".", ODD),
        door("no such run", f"gone/metrics.json: {NONE}", "--run", "gone", ODD, file=""),
    ],
    "detection predict": [
        door("a folder without photos", ".: no image in this folder", "--run", ".", "--out", "x", "."),
        door("no such run", f"gone/metrics.json: {NONE}", "--run", "gone", "--out", "x", ODD, file=""),
    ],
    "captioning evaluate": [
        door("no such predictions", f"{ODD}: {NONE}", *SCORED),
        door("predictions of bytes", f"{ODD}: not valid JSON: 'utf-8' codec …", *SCORED, file=BYTES),
        door("predictions nested 100,000 deep", f"{ODD}: not valid JSON: …", *SCORED, file="[" * 100_000),
        door("a mapping", f"{ODD}: is not a list of COCO caption results", *SCORED, file="{}"),
        door("an image that is a list", f"{ODD}: entry 0 lacks an image_id or a caption", *SCORED,
             file='[{"image_id": [1], "caption": "a"}]'),
    ],
    "workflow.data.synthetic.generate": [
        door("a list for a mapping", "synthetic voc: must be a mapping, not [1]", "voc", "--spec=[1]", "--out", "x"),
        door("no key", "synthetic coco: key 'classes' is missing", "coco", "--spec={}", "--out", "x"),
        door("a size in words", "synthetic imagenet: size must be a whole number of at least 32, not 'big'", "imagenet",
             '--spec={"classes": 2, "train": 1, "val": 1, "size": "big", "seed": 0}', "--out", "x"),
        door("an output that is there", f"{ODD} exists already; remove it to make the data again", "imagenet",
             '--spec={"classes": 2, "train": 1, "val": 1, "size": 32, "seed": 0}', "--out", ODD, file=""),
    ],
    "workflow.data.voc": [
        door("no classes", "data.voc.classes: must list each class once, not None", "--dataset-config={}", "--root=.",
             "--out=x.json"),
    ],
    "workflow.data.coco": [
        door("no split", "data.coco.split: must be one of 2014, karpathy, not None", "--dataset-config={}", "--root=.",
             "--out=x.json"),
    ],
    "workflow.data.fetch.fetch": [
        door("a list for a mapping", "data.voc: it has no root; …", "voc", "--dataset-config=[]", "--root=x"),
        door("a file for the folder of archives", f"{ODD}/VOCtrainval_06-Nov-2007.tar: the archive is …", "voc",
             "--dataset-config", json.dumps({"root": "x", "classes": "voc", "source": ODD}), "--root=x", file="")],
    "workflow.data.tiny_imagenet": [
        door("a file for the set", f"{ODD}/train/n01944390/n01944390_boxes.txt: Not a directory; …", ODD, file="")],
    "workflow.reporting.report": [
        door("no such config", f"{ODD}: cannot be read: {NONE}", "--config", ODD),
        door("a config of bytes", f"{ODD}: not UTF-8 text: byte 0: …", "--config", ODD, file=BYTES)],
    "workflow.training.distributed.launch": [
        door("a run that is no JSON", "--run-spec is not the JSON of a run: Expecting …",
             "pretrain", "train", "--run-spec=x"),
        door("a run that is a list", "--run-spec is not the JSON of a run: …",
             "pretrain", "train", "--run-spec=[1]"),
        door("a run that lacks all", "--run-spec is not the JSON of a run: …missing 8 …",
             "pretrain", "train", "--run-spec={}")],
    "detection evaluate": [
        door("no such check", f"check: {NONE}", *SCORED)],
    "detection visualize": [
        door("a run without a name", "--runs x: must be a backbone's name, = and the folder of its run",
             "--runs", "x", "--dataset-info", ODD, "--out", "x.jpg")],
    "pretrain train": [
        door("no such check", f"{ODD}: {NONE}", *TRAINED),
        door("a check of something else", f"{ODD}: it has no 'set'", *TRAINED, file="{}")],
    "pretrain evaluate": [
        door("a config that is not of a run", f"{ODD}: it has no 'recipe'",
             "--backbone", "b", "--dataset-info", "check", "--config", ODD, file=json.dumps(DEMO))],
    "pretrain import_backbone": [
        door("no such check", f"check: {NONE}", *TRAINED[:2], "--dataset-info", "check",
             *TRAINED[4:], "--checkpoint", ODD)],
}  # fmt: skip


def nothing(folder: Path, drawn: object) -> list[str]:
    """The words come with the case."""
    return []
