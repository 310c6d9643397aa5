"""Every bad input of the table (tests/bad) ends in one line that names the place, before anything is trained."""

import functools
import importlib
import json
import sys
from collections import Counter
from pathlib import Path
from types import SimpleNamespace

import pytest

from backbones.images import TestImages
from captioning import encoder
from captioning.jvm import tokenize
from detection import coco_metric
from detection.coco_metric import QuietCocoDataset
from detection.evaluate import ground_truth
from detection.visualize import scenes
from pretrain.dataset import TrainImages
from tests.bad import imported
from tests.bad.cases import fits, writable
from tests.bad.doors import WORDS
from tests.bad.table import GROUPS, main_of, markdown, odd
from tests.conftest import PROJECT
from workflow.config.loading import load
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import sha256
from workflow.data import coco as coco_set
from workflow.data import voc as voc_set
from workflow.data.class_folders import ClassFolders
from workflow.data.coco_files import annotation_file
from workflow.data.validation.decoding import decode
from workflow.data.voc_lists import members
from workflow.planning.dataset_size import required_sizes

SETS = (
    "imagenet",
    "imagenet_c",
    "imagenet_r",
    "odin",
    "voc",
    "coco",
    "cub",
    "cifar10",
    "cifar100",
    "fashion_mnist",
    "image_folder",
)
TABLE = [pytest.param(group, case, id=f"{group.title}: {case.what} ({group.door})")
         for group in GROUPS for case in group.cases]  # fmt: skip


@pytest.fixture
def call(tmp_path, monkeypatch, capfd, request):
    """Do the damage of a case to a good input, call the door as the workflow does; (status, the terminal's lines)."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))

    def call(group, case):
        words = group.set_up(tmp_path, SimpleNamespace(**{name: request.getfixturevalue(name) for name in SETS}))
        case.make(tmp_path / group.root)
        if "RUN" in words:
            words[words.index("RUN")] = run()
        if (tmp_path / WORDS).exists():
            words = json.loads((tmp_path / WORDS).read_text())
        elif words[0] == "--required-sizes":
            words[1] = required_sizes_of(words[1].removeprefix("NEEDS "))
        monkeypatch.setattr(sys, "argv", [*group.door.split(), *words])
        try:
            main_of(group)()
        except SystemExit as end:
            return end.code, capfd.readouterr().err.replace("\r", "\n").splitlines()
        return 0, capfd.readouterr().out.splitlines()

    yield call
    writable(tmp_path)


def run() -> str:
    """The --run-spec of the import door."""
    declared = {"preprocessing": "imagenet", "stride": "3x3", "checkpoint_key": None}
    recipe = {"network": "resnet50", "checkpoint": imported.FILE, "sha256": sha256(imported.FILE), **declared}
    whole = {"task": "pretrain", "backbone": "mine", "seeds": {"pretrain": 0}, "recipe": recipe, "data": {}}
    return json.dumps(whole | {"threads": 1, "workers": 0, "gpus": 0})


def required_sizes_of(name: str) -> str:
    """The --required-sizes of a config, whose set is checked first."""
    section = {"coco": {"split": "2014"}, "voc": {"synthetic": {"classes": 4}}}.get(name, {})
    check = importlib.import_module(f"workflow.data.{name}").check
    check(section, Path("data") / name).write(Path(f"{name}.json"))
    return json.dumps(required_sizes(load("x.yaml"), name))


@pytest.mark.parametrize(("group", "case"), TABLE)
def test_it_is_said_in_one_line(group, case, call, tmp_path):
    status, lines = call(group, case)
    assert status == 1
    (number,) = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    line = lines[number].removeprefix("error: ")
    if line.endswith(" faults in the data:"):  # the first one stands below
        line += f" {lines[number + 1].strip()}"
    assert fits(case.said, line), line
    assert not [line for line in lines if "Traceback" in line]
    assert not list(tmp_path.glob("results/backbones/*")), "nothing is made of it"
    assert not list(tmp_path.glob("results/data/x.json")), "nor is it vouched for"
    assert not (tmp_path / "ran").exists(), "nothing of it was run"


GOOD = [pytest.param(group, case, id=f"{group.title}: {case.what}") for group in GROUPS for case in odd(group)]


@pytest.mark.parametrize(("group", "case"), GOOD)
def test_what_is_only_odd_passes(group, case, call, tmp_path):
    status, lines = call(group, case)
    assert (status, case.said) == (0, lines[-1] if lines else lines)
    assert "warning" not in case.what or any(line.startswith("warning: ") for line in lines)
    if group.root != ".":
        read_for_training(group.door, tmp_path / "results/data/x.json")


def read_for_training(door, check):
    """As the three tasks read the data of a check."""
    content = DatasetInfo.read(check)
    if door == "workflow.data.imagenet":
        folders = {split: ClassFolders(f"{content.root}/{split}") for split in ("train", "val")}
        assert {split: len(folder) for split, folder in folders.items()} == content.counts
        recipe = {
            "crop_size": 32,
            "val_resize_size": 32,
            "crop_scale": (0.3, 1),
            "crop_padding": 0,
            "mean": (124, 116, 104),
            "color_jitter": 0.4,
            "pca_lighting": 0.1,
        }
        train = TrainImages(ClassFolders(f"{content.root}/train"), recipe | {"regularizers": {}}, 0)
        val = TestImages(ClassFolders(f"{content.root}/val"), recipe)
        assert all(tuple(train[index, 0]["images"].shape) == (3, 32, 32) for index in range(len(train)))
        assert all(tuple(val[index]["images"].shape) == (3, 32, 32) for index in range(len(val)))
    elif door == "workflow.data.voc":
        ids, truth = ground_truth(content)
        assert len(set(ids)) == len(ids) == content.counts["test07"]
        images = members(content.root, "test07").items()
        objects = [voc_set.read(voc_set.annotation_path(content.root, "test07", name), image).objects
                   for name, image in images]  # fmt: skip
        assert [len(one["labels"]) + len(one["labels_ignore"]) for one in truth] == list(map(len, objects))
    else:
        as_objects(content)
        if "captions" not in content.kinds:
            return
        images = [image for part in ("train", "test") for image in coco_set.read(content, part)]
        assert all(tuple(encoder.load(image.path, 32).shape) == (3, 32, 32) for image in images)
        said = [text for image in images for text in image.captions]
        assert tokens(tuple(said)) == len(said)


@functools.cache
def tokens(captions):
    """The number of lines that the tokenizer's JVM gives; of most cases the captions are the same."""
    return len(tokenize(captions))


def as_objects(check):
    """As a detector is trained and scored: no object is lost, each box and class is that of the file."""
    for name in coco_set.NAMES.values() if "instances" in check.kinds else ():
        path, folder = annotation_file(check.root, name, "instances"), Path(check.root) / name
        content = json.loads(path.read_text("utf-8-sig"))
        common = {"ann_file": str(path), "data_prefix": {"img": str(folder)}}
        common |= {"metainfo": {"classes": tuple(check.classes)}}
        data = QuietCocoDataset(**common, test_mode=True)
        trained = QuietCocoDataset(**common, filter_cfg={"filter_empty_gt": True})
        assert {item["img_id"] for item in trained} == {item["img_id"] for item in data if item["instances"]}
        names = {one["id"]: one["name"] for one in content["categories"]}
        said = Counter(
            (int(one["image_id"]), names[one["category_id"]], *one["bbox"][:2]) for one in content["annotations"]
        )
        read = Counter((item["img_id"], check.classes[one["bbox_label"]], *one["bbox"][:2])
                       for item in data for one in item["instances"])  # fmt: skip
        assert read == said
        assert not any(one["ignore_flag"] for item in data for one in item["instances"])
        for item in data:
            assert decode(item["img_path"]).shape == (item["height"], item["width"], 3)
    if "instances" in check.kinds:
        truth = coco_metric.ground_truth(check.root).dataset["annotations"]
        scored = Counter((one["image_id"], names[one["category_id"]], *one["bbox"][:2]) for one in truth)
        assert scored == read
        assert all(one["area"] > 0 == one["iscrowd"] for one in truth)
        assert len(scenes(check)[0]) == 6


def test_there_are_enough():
    assert sum(len(group.cases) for group in GROUPS) >= 100


def test_the_page_is_that_of_the_table():
    assert (PROJECT / "docs/bad_input.md").read_text(encoding="utf-8") == markdown(), "python -m tests.bad writes it"
