"""Every fault of a config ends in one line that names the file and the key or line; what is right passes."""

import copy
import functools
import json
from pathlib import Path

import pytest
import yaml

from tests.demo import demo
from workflow.config import consistency, loading, regularizers
from workflow.config.__main__ import main
from workflow.core.errors import UserError
from workflow.reporting.manual import resolved

PROJECT = Path(__file__).parents[3]
# The demo's config, with the values that the messages below quote.
PINNED = {
    "pretrain": {"epochs": 5, "milestones": [3, 4], "batch_size": 64, "crop_size": 48, "val_resize_size": 48},
    "tasks": {
        "ssd_voc": {"iterations": 200, "milestones": [140], "warmup_iters": 40, "batch_size": 8},
        "faster_rcnn_voc": {"min_size": 160, "max_size": 160, "batch_size": 4},
        "nic_coco": {"resize_size": 96, "crop_size": 80, "batch_size": 20},
    },
}
DEMO = loading.overlay(demo(), PINNED)
GONE = object()
COCO = {key: value for key, value in DEMO["tasks"]["faster_rcnn_voc"].items() if key != "difficult"}


def changed(*edits: tuple[str, object]) -> dict:
    """The demo's config with values at dotted paths set or, by GONE, removed."""
    result = copy.deepcopy(DEMO)
    for path, value in edits:
        *parents, last = path.split("/")
        place = functools.reduce(lambda node, key: node[key], parents, result)
        if value is GONE:
            del place[last]
        else:
            place[last] = value
    return result


BAD = [
    ("pretrain/epochs", -3, "pretrain.epochs: must be at least 1, not -3"),
    ("pretrain/epochs", "five", "pretrain.epochs: must be a whole number, not 'five'"),
    ("pretrain/epochs", 2.5, "pretrain.epochs: must be a whole number, not 2.5"),
    ("pretrain/epochs", True, "pretrain.epochs: must be a whole number, not true"),
    ("pretrain/lr", 0, "pretrain.lr: must be above 0, not 0"),
    ("pretrain/lr", float("nan"), "pretrain.lr: must be a finite number, not nan"),
    ("pretrain/lr", GONE, "pretrain.lr: missing key"),
    ("threads", 1, "threads: unknown key (now resources.cpu_threads)"),
    ("pretrain/batch", 8, "pretrain.batch: unknown key (now batch_size)"),
    ("tasks/ssd_voc/views", 8, "tasks.ssd_voc.views: unknown key (known: "),
    ("pretrain/epoch", 3, "pretrain.epoch: unknown key (known: network, data, epochs, batch_size, lr,"),
    ("pretrain/milestones", [3, 5], "pretrain.milestones: 5 is not before the end (5 epochs)"),
    ("pretrain/milestones", [4, 3], "pretrain.milestones: must rise, not [4, 3]"),
    ("pretrain/crop_padding", 4, "pretrain.crop_scale: must be [1.0, 1.0] where crop_padding is above 0: that crop "
     "scales nothing"),
    ("pretrain/std", [0, 1, 1], "pretrain.std[0]: must be above 0, not 0"),
    ("pretrain/mean", [1, 2], "pretrain.mean: must have 3 values, not [1, 2]"),
    ("backbones/a", {"pretrain": {"mean": [0.5, 0.5, 0.4], "std": [0.2, 0.2, 0.2]}},
     "backbones.a.pretrain: mean and std are in units of 0 to 1, but pixels go from 0 to 255: write mean: [127.5, "
     "127.5, 102.0], std: [51.0, 51.0, 51.0]"),
    ("pretrain/data", "voc", "pretrain.data: voc (layout voc) has no classes of its images; layouts that have: "),
    ("pretrain/nesterov", "yes", "pretrain.nesterov: must be true or false, not 'yes'"),
    ("pretrain/precision", "fp16", "pretrain.precision: must be bf16 or fp32, not 'fp16'"),
    ("pretrain/momentum", 1.0, "pretrain.momentum: must be below 1, not 1.0"),
    ("pretrain/crop_size", 64, "pretrain.crop_size: 64 is larger than val_resize_size (48)"),
    ("pretrain/crop_scale", [0.9, 0.5], "pretrain.crop_scale: must be in ascending order, not [0.9, 0.5]"),
    ("tasks/ssd_voc/lr", [0.1], "tasks.ssd_voc.lr: must have at least 2 values, not [0.1]"),
    ("tasks/ssd_voc/lr", [0.2, 0.1], "tasks.ssd_voc.lr: must be in ascending order, not [0.2, 0.1]"),
    ("tasks/ssd_voc/lr", [0, 0.1], "tasks.ssd_voc.lr[0]: must be above 0, not 0"),
    ("tasks/ssd_voc/lr", "high", "tasks.ssd_voc.lr: must be a number or a list, not 'high'"),
    ("pretrain/lr", [0.1, 0.2], "pretrain.lr: must be a number, not [0.1, 0.2]"),
    ("pretrain/crop_scale", [0.9], "pretrain.crop_scale: must have 2 values, not [0.9]"),
    ("pretrain/crop_scale", [0.5, 1.5], "pretrain.crop_scale[1]: must be at most 1, not 1.5"),
    ("experiment", "a/b", "experiment: must be a name of letters, digits, _ . and -, because it becomes the name of a"),
    ("experiment", "..", "experiment: must be a name of letters"),
    ("experiment", "vocabularies", "experiment: results/vocabularies holds something else"),
    ("experiment", 3, "experiment: must be text, not 3"),
    ("resources/cpu_threads", 0, "resources.cpu_threads: must be at least 1, not 0"),
    ("resources/num_workers", -1, "resources.num_workers: must be at least 0, not -1"),
    ("resources/gpus", -1, "resources.gpus: must be at least 0, not -1"),
    ("resources/gpus", GONE, "resources.gpus: missing key"),
    ("resources/job_minutes", 0, "resources.job_minutes: must be at least 1, not 0"),
    ("resources/job_minutes", "1-00:00", "resources.job_minutes: must be a whole number, not '1-00:00'"),
    ("resources/job_memory_gb", 0, "resources.job_memory_gb: must be at least 1, not 0"),
    ("resources/gpus", 3, "pretrain.batch_size: 64 is not a multiple of resources.gpus (3) (and 3 more)"),
    ("seeds/pretrain", [], "seeds.pretrain: must not be empty, not []"),
    ("seeds/transfer", [1, 1], "seeds.transfer: must not contain duplicates, not [1, 1]"),
    ("seeds/transfer", [-1], "seeds.transfer[0]: must be at least 0, not -1"),
    ("seeds/transfer", 0, "seeds.transfer: must be a list, not 0"),
    ("seeds", GONE, "seeds: missing key"),
    ("data/voc", GONE, "data.voc: missing data set (tasks.ssd_voc needs it)"),
    ("data/imagenet", GONE, "data.imagenet: missing data set"),
    ("data/voc2012", {}, "data.voc2012: unknown data set (known: cifar10, "),
    ("data/imagenet", {}, "data.imagenet: needs exactly one of synthetic and root"),
    ("data/imagenet/root", "x", "data.imagenet: needs exactly one of synthetic and root"),
    ("data/voc", {"root": "x"}, "data.voc.classes: missing key"),
    ("data/voc/classes", "voc", "data.voc.classes: only allowed together with 'root'"),
    ("data/voc", {"root": "x", "classes": "coco"}, "data.voc.classes: must be voc (its 20 classes) or a list of class"),
    ("data/voc", {"root": "x", "classes": []}, "data.voc.classes: must not be empty"),
    ("data/coco/split", 2014, "data.coco.split: must be text, not 2014"),
    ("data/coco/synthetic/photos", "x", "data.coco.synthetic: needs exactly one of classes and photos"),
    ("data/coco/synthetic/classes", 99, "data.coco.synthetic.classes: must be at most 12, not 99"),
    ("backbones", {}, "backbones: must not be empty"),
    ("backbones/baseline", None, "backbones.baseline: must be a mapping, not null"),
    ("backbones/cut mix", {}, "backbones.cut mix: must be a name of letters, digits, _ . and -"),
    ("backbones/a", {"regularizers": {"cutmx": {}}},
     "backbones.a.regularizers.cutmx: unknown regularizer (known: autoaugment, cutmix, cutout, "),
    ("backbones/a", {"regularizers": {key: {"alpha": 1, "probability": 1} for key in ("cutmix", "mixup")}},
     "backbones.a.regularizers: cutmix and mixup cannot be combined: each pairs every image with a partner"),
    ("backbones/a", {"regularizers": {"dropblock": {"block_size": 0, "keep_prob": 0.9, "probability": 1}}},
     "backbones.a.regularizers.dropblock.block_size: must be at least 1, not 0"),
    ("backbones/a", {"regularizers": {"dropblock": {"block_size": 3, "keep_prob": 0, "probability": 1}}},
     "backbones.a.regularizers.dropblock.keep_prob: must be above 0, not 0"),
    ("backbones/a", {"regularizers": {"manifold_mixup": {"alpha": 1, "layers": ["stem"], "probability": 1}}},
     "backbones.a.regularizers.manifold_mixup.layers: a ResNet-50 (pretrain.network: resnet50) has input, layer1, "
     "layer2, layer3, layer4, not 'stem'"),
    ("backbones/a", {"regularizers": {}}, "backbones.a.regularizers: must not be empty"),
    ("backbones/a", {"regularizers": {"mixup": None}}, "backbones.a.regularizers.mixup: must be a mapping, not null"),
    ("backbones/a", {"regularizers": {"mixup": {}}}, "backbones.a.regularizers.mixup.alpha: missing key (and 1 more)"),
    ("backbones/a", {"regularizers": {"mixup": {"alpha": 1, "probability": 2}}},
     "backbones.a.regularizers.mixup.probability: must be at most 1, not 2"),
    ("backbones/a", {"init": "random", "pretrain": {"lr": 1}}, "backbones.a: init and pretrain cannot be combined"),
    ("backbones/a", {"init": "zero"}, "backbones.a.init: must be random, not 'zero'"),
    ("backbones/a", {"pretrain": {"milestones": [9]}},
     "backbones.a.pretrain.milestones: 9 is not before the end (5 epochs)"),
    ("backbones/a", {"pretrain": {"epoch": 9}}, "backbones.a.pretrain.epoch: unknown key"),
    ("tasks", {}, "tasks: must not be empty"),
    ("tasks/ssd", {}, "tasks.ssd: unknown task (known: nic_coco, "),
    ("tasks/ssd_voc/rois_per_image", 8, "tasks.ssd_voc.rois_per_image: unknown key"),
    ("tasks/ssd_voc/milestones", [200], "tasks.ssd_voc.milestones: 200 is not before the end (200 iterations)"),
    ("tasks/ssd_voc/warmup_iters", 200, "tasks.ssd_voc.warmup_iters: 200 is not before the end (200 iterations)"),
    ("tasks/ssd_voc/size", 32, "tasks.ssd_voc.size: must be at least 64, not 32"),
    ("tasks/faster_rcnn_voc/min_size", 999, "tasks.faster_rcnn_voc.min_size: 999 is larger than max_size (160)"),
    ("tasks/faster_rcnn_voc/frozen_stages", 4, "tasks.faster_rcnn_voc.frozen_stages: must be at most 3, not 4"),
    ("tasks/faster_rcnn_voc/rpn_post_nms_top_n", 9,
     "tasks.faster_rcnn_voc.rpn_post_nms_top_n: must be a mapping, not 9"),
    ("tasks/faster_rcnn_coco", COCO | {"rois_per_image": 0},
     "tasks.faster_rcnn_coco.rois_per_image: must be at least 1, not 0"),
    ("tasks/faster_rcnn_coco", COCO | {"min_size": 161},
     "tasks.faster_rcnn_coco.min_size: 161 is larger than max_size (160)"),
    ("tasks/nic_coco/crop_size", 97, "tasks.nic_coco.crop_size: 97 is larger than resize_size (96)"),
    ("tasks/nic_coco/beam_size", 0, "tasks.nic_coco.beam_size: must be at least 1, not 0"),
    ("tasks/nic_coco/finetune_encoder", 1, "tasks.nic_coco.finetune_encoder: must be true or false, not 1"),
]  # fmt: skip


@pytest.mark.parametrize(("key", "value", "message"), BAD)
def test_a_bad_value_is_named_with_its_key(key, value, message):
    with pytest.raises(UserError) as caught:
        loading.check(changed((key, value)), "x.yaml")
    assert str(caught.value).startswith(f"x.yaml: {message}")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: [1\n", "x.yaml:3: not YAML: "),
        ("a: 1\n\tb: 2\n", "x.yaml:2: not YAML: "),
        ("a: 1\nb: {c: 1, c: 2}\n", "x.yaml:2: duplicate key 'c'"),
        ("a: 1\nb: 2\na: 3\n", "x.yaml:3: duplicate key 'a'"),
        ("1: 2\n", "x.yaml:1: the key 1 is not text: put it in quotes"),
        ("- a\n", "x.yaml: not a mapping of keys to values"),
        ("", "x.yaml: not a mapping of keys to values"),
        ("a: \x01", "x.yaml: not YAML: "),
        (b"a: \xff", "x.yaml: not UTF-8 text: byte 3"),
        (None, "x.yaml: cannot be read: No such file or directory"),
    ],
)
def test_a_file_that_is_no_yaml_is_named_with_its_line(text, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        Path("x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError) as caught:
        loading.load("x.yaml")
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


def test_snakemake_shows_the_line_and_plans_nothing(snakemake, tmp_path):
    wrong = changed(("backbones/cutmix/regularizers", {"cutmx": {"alpha": 1.0, "probability": 1.0}}))
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(wrong))
    status, said = snakemake("-n", "--configfile", "x.yaml")
    assert status == 1
    known = ", ".join(regularizers.declared())
    place = "backbones.cutmix.regularizers.cutmx"
    assert said.strip() == f"error: x.yaml: {place}: unknown regularizer (known: {known})"


def test_snakemake_names_the_line_of_a_key_that_stands_twice(snakemake, tmp_path):
    (tmp_path / "x.yaml").write_text((PROJECT / "config/demo.yaml").read_text() + "\nexperiment: again\n")
    lines = (tmp_path / "x.yaml").read_text().count("\n")
    assert snakemake("-n", "--configfile", "x.yaml") == (1, f"error: x.yaml:{lines}: duplicate key 'experiment'\n")


def test_config_alone_is_refused(snakemake):
    status, said = snakemake("-n", "--config", "experiment=x")
    assert (status, said.count("\n")) == (1, 1)
    assert said.startswith("error: --config alone: name the file that it changes")


def test_the_door_checks_a_file(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text("a: [")
    monkeypatch.setattr("sys.argv", ["config", "x.yaml"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("error: x.yaml:1: not YAML")


def test_numbers_are_read_as_people_write_them(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: 1e-4\nb: 1.0e-4\nc: -2E3\nd: '1e-4'\ne: 1e-4x\n")
    assert loading.load_yaml(path) == {"a": 1e-4, "b": 1e-4, "c": -2000.0, "d": "1e-4", "e": "1e-4x"}


def test_anchors_and_merge_keys_work(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_text("a: &a {x: 1, y: 2}\nb: {<<: *a, y: 3}\n")
    assert loading.load_yaml(path)["b"] == {"x": 1, "y": 3}


def test_later_files_and_overrides_are_laid_over_the_first(tmp_path):
    (tmp_path / "over.yaml").write_text("seeds: {transfer: [4]}\nresources: {cpu_threads: 3}\n")
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(DEMO))
    loaded = loading.load(tmp_path / "x.yaml", tmp_path / "over.yaml", overrides={"seeds": {"pretrain": [5]}})
    assert loaded == changed(("seeds", {"pretrain": [5], "transfer": [4]}), ("resources/cpu_threads", 3))


def test_inline_json_is_a_config():
    assert loading.load(json.dumps(DEMO)) == DEMO
    with pytest.raises(UserError, match=r"^--config: experiment: missing key$"):
        loading.load(json.dumps(changed(("experiment", GONE))))


@pytest.mark.parametrize(
    "backbone",
    [
        {"init": "random"},
        {"pretrain": {"epochs": 9, "milestones": [8]}},
        {"regularizers": {"mixup": {"alpha": 1, "probability": 0}, "cutout": {"size": 9, "probability": 0.5}}},
    ],
)
def test_what_is_right_passes(backbone):
    loading.check(changed(("backbones/a", backbone)), "x.yaml")


def test_a_task_need_not_have_a_warm_up():
    assert list(consistency.recipe_faults("tasks.probe", {"iterations": 5, "milestones": [2]})) == []


def test_schema_knows_how_many_shapes_can_be_drawn():
    from workflow.data.synthetic.shapes import SHAPES

    sets = loading.validator().schema["properties"]["data"]["properties"]
    keys = {name: resolved(each["properties"]["synthetic"]["properties"]["classes"]) for name, each in sets.items()}
    most = {name: key["maximum"] for name, key in keys.items()}
    others = {name: most.pop(name) for name in ("odin", "ood_images")}
    assert set(most.values()) == {len(SHAPES), 10}, "10 where the set has no more"
    assert set(others.values()) == {len(SHAPES) - 1}, "at least one shape is left to draw"
