"""Configs that ask for more than their data have, and folders that nothing can be written into: found by the job of a
data check (`python -m workflow.planning.dataset_size`), or by Snakemake before its first job."""

import json
import re
from pathlib import Path

import yaml

from tests.bad.cases import Case, Damage, edit_json, read_only, several, write
from tests.bad.coco import OBJECTS, TEST_CAPTIONS, TEST_OBJECTS
from tests.bad.configs import DEMO, FILE, value
from tests.bad.sets import XML
from workflow.config.loading import overlay
from workflow.core.files import hashed
from workflow.planning.plan import plan

# What the drawn sets of the tests are just enough for.
SMALL = overlay(DEMO, {"pretrain": {"epochs": 4, "milestones": [3], "batch_size": 8, "warmup_iters": 2}, "tasks": {
    "ssd_voc": {"batch_size": 16}, "nic_coco": {"batch_size": 60, "min_word_count": 4}}})  # fmt: skip
COUNTS = {"imagenet": {"train": 40, "val": 12}, "voc": {"trainval07": 8, "trainval12": 8, "test07": 6},
          "coco": {"train_images": 12, "train_captions": 60, "test_images": 6, "test_captions": 30}}  # fmt: skip
CHECKS = plan(SMALL).checks


def asks(path: str, new: object) -> Damage:
    """The small config with another value."""
    return value(path, new, SMALL)


def bare(path: str) -> Damage:
    """A picture of nothing that is to be found: without its objects."""

    def damage(root: Path) -> None:
        file = root / "data/voc" / path
        file.write_text(re.sub("<object>.*</object>", "", file.read_text(), flags=re.DOTALL))

    return damage


def nameless(root: Path) -> None:
    """COCO without classes, for its captions alone."""
    for path in (OBJECTS, TEST_OBJECTS):
        edit_json(f"data/coco/{path}", lambda content: content.update(categories=[], annotations=[]))(root)


def without(kind: str) -> Damage:
    """COCO without the annotation files of one kind."""
    return lambda root: [path.unlink() for path in (root / "data/coco/annotations").glob(f"{kind}_*.json")]


def wordless(content: dict) -> None:
    """Nothing but full stops."""
    for caption in content["annotations"]:
        caption["caption"] = "..."


def checked(**other: object) -> Damage:
    """As if the sets of the small config had been checked; `other`: a set's counts, or the text of its check."""

    def damage(root: Path) -> None:
        for name, path in CHECKS.items():
            about = {"set": name, "root": f"data/{name}", "fingerprint": "0", "classes": ["a", "b"], "with_object": 16}
            text = other.get(name, json.dumps(hashed(about | {"counts": COUNTS[name]})))
            write(path, text)(root)

    return damage


def called(*damages: Damage) -> Damage:
    """A call with the small config."""
    return several(lambda root: (root / FILE).write_text(yaml.safe_dump(SMALL)), *damages)


RCNN = DEMO["tasks"]["faster_rcnn_voc"]
RCNN = {"faster_rcnn_coco": {key: value for key, value in RCNN.items() if key != "difficult"}}
FEW = {
    "imagenet": [
        Case("a batch larger than the training set",
             "pretrain.batch_size: 41 is more than the 40 training images in data/imagenet",
             asks("pretrain/batch_size", 41)),
        Case("a row's own batch, larger than the training set",
             "backbones.cutmix.pretrain.batch_size: 64 is more than the 40 training images in data/imagenet",
             asks("backbones/cutmix/pretrain", {"batch_size": 64})),
        Case("a warm-up that outlasts the training",
             "pretrain.warmup_iters: 20 is not before the end (20 iterations, "
             "with the 40 training images in data/imagenet)",
             asks("pretrain/warmup_iters", 20)),
    ],
    "voc": [
        Case("a batch larger than the training set",
             "tasks.ssd_voc.batch_size: 17 is more than the 16 training images with an object in data/voc",
             asks("tasks/ssd_voc/batch_size", 17)),
        Case("a batch larger than what is left without pictures of nothing",
             "tasks.ssd_voc.batch_size: 16 is more than the 15 training images with an object in data/voc",
             several(asks("tasks/ssd_voc/size", 112), bare(XML))),
        Case("a batch larger than the training set, of the second detector",
             "tasks.faster_rcnn_voc.batch_size: 32 is more than the 16 training images with an object in data/voc",
             asks("tasks/faster_rcnn_voc/batch_size", 32)),
    ],
    "coco": [
        Case("a batch of more captions than there are",
             "tasks.nic_coco.batch_size: 61 is more than the 60 training captions in data/coco",
             asks("tasks/nic_coco/batch_size", 61)),
        Case("a threshold that no word reaches",
             "tasks.nic_coco.min_word_count: 999, but no word of the training captions in data/coco is said as often",
             asks("tasks/nic_coco/min_word_count", 999)),
        Case("test captions of full stops alone", "data/coco: no test caption has a word, so none can be scored",
             several(asks("tasks/nic_coco/beam_size", 3), edit_json(f"data/coco/{TEST_CAPTIONS}", wordless))),
        Case("objects without captions, for a captioner",
             "tasks.nic_coco: data/coco has no captions: annotations/captions_train2014.json is missing",
             several(asks("tasks/nic_coco/beam_size", 3), without("captions"))),
        Case("captions without objects, for a detector",
             "tasks.faster_rcnn_coco: data/coco has no instances: annotations/instances_train2014.json is missing",
             several(asks("tasks", RCNN), without("instances"))),
        Case("captions without classes, for a detector",
             "tasks.faster_rcnn_coco.batch_size: 4 is more than the 0 training images with an object in data/coco",
             several(asks("tasks", RCNN), nameless)),
    ],
}  # fmt: skip

AS_COUNTED = "as counted in results/data/…-….json; remove that if there are more by now"
CALLS = [
    Case("a batch larger than a set that was checked",
         f"x.yaml: pretrain.batch_size: 41 is more than the 40 training images in data/imagenet, {AS_COUNTED}",
         several(checked(), asks("pretrain/batch_size", 41))),
    Case("a check that broke off", "results/data/voc-….json: not valid JSON: …",
         called(checked(voc='{"set": "voc", '))),
    Case("a check that is a list", "results/data/voc-….json: it has no 'set'", called(checked(voc="[1]"))),
    Case("a record that broke off, of data that are no more known",
         "results/demo/ssd_voc/baseline/p0s0/metrics.json: not valid JSON: …",
         called(write("results/demo/ssd_voc/baseline/p0s0/metrics.json", "{"))),
    Case("weights of a library that are not fetched",
         "backbones.mine.checkpoint: torchvision:resnet50 is not in data/weights/torchvision/resnet50; `snakemake data "
         "--cores 2 --configfile CONFIG` fetches it", asks("backbones/mine", {"checkpoint": "torchvision:resnet50"})),
    Case("a file for all results", "results: not a folder, and results/… is to be written", called(write("results"))),
    Case("a file for the folder of states", ".work: not a folder, and .work is to be written", called(write(".work"))),
    Case("a file for an experiment's folder", "results/demo: not a folder, and results/demo/… is to be written",
         called(write("results/demo"))),
    Case("a file for the folder of backbones",
         "results/backbones: not a folder, and results/backbones/… is to be written",
         called(write("results/backbones"))),
    Case("a file for the folder of vocabularies",
         "results/vocabularies: not a folder, and results/vocabularies/… is to be written",
         called(write("results/vocabularies"))),
    Case("results on a read-only disk", "results: not writable, and results/… is to be written",
         called(read_only("results"))),
    Case("states on a read-only disk", ".work: not writable, and .work is to be written", called(read_only(".work"))),
    Case("another's experiment on a read-only disk", "results/demo: not writable, and results/demo/… is to be written",
         called(read_only("results/demo"))),
]  # fmt: skip
