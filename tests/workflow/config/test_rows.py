"""What a row of the table is: its network, its recipe, and which tasks its network can enter."""

import dataclasses

import pytest

from tests.bad.configs import DEMO
from workflow import registry
from workflow.config import rows
from workflow.config.consistency import faults_of_sense
from workflow.config.loading import overlay


def test_the_recipe_of_a_row_is_that_of_all_with_its_network_and_overrides():
    own = {"network": "resnet18", "pretrain": {"lr": 0.5}}
    config = overlay(DEMO, {"backbones": {"r18": own}})
    assert rows.recipe(config, "r18") == DEMO["pretrain"] | {"network": "resnet18", "lr": 0.5}
    assert rows.recipe(config, "baseline") == DEMO["pretrain"]
    found = rows.places(config, "r18")
    assert found["network"] == "backbones.r18.network"
    assert found["lr"] == "backbones.r18.pretrain.lr"
    assert found["batch_size"] == "pretrain.batch_size"


def test_a_task_that_cannot_take_the_network_of_a_row_is_refused_for_that_row(monkeypatch):
    """With row, task and reason; every other row passes."""
    declared = registry.tasks()["ssd_voc"]
    small = dataclasses.replace(
        declared,
        rejects=lambda network, recipe: "" if network.name == "resnet50" else f"too small at {recipe['size']} px",
    )
    monkeypatch.setitem(registry.tasks(), "ssd_voc", small)
    row = {"network": "resnet18"}
    config = overlay(DEMO, {"backbones": {"r18": row, "scratch18": row | {"init": "random"}}})
    assert list(faults_of_sense(config)) == [
        f"backbones.{name}: tasks.ssd_voc cannot take a ResNet-18 (backbones.{name}.network: resnet18): "
        f"too small at {DEMO['tasks']['ssd_voc']['size']} px; it takes resnet50"
        for name in ("r18", "scratch18")
    ]


@pytest.mark.parametrize(
    ("own", "key"),
    [
        ({"pretrain": {"batch_size": 3}}, "backbones.a.pretrain.batch_size: 3 is not a multiple of resources.gpus (2)"),
        (
            {"pretrain": {"batch_size": 2, "crop_size": 32}},
            "backbones.a.pretrain.batch_size: 2 leaves a process one sample, and batch norm needs two",
        ),
    ],
)
def test_the_gpus_share_the_batch_of_each_row(own, key):
    config = overlay(DEMO, {"backbones": {"a": own}, "resources": {"gpus": 2}})
    assert list(faults_of_sense(config)) == [key]


def test_a_batch_of_all_rows_is_a_fault_once():
    config = overlay(DEMO, {"pretrain": {"batch_size": 3}, "resources": {"gpus": 2}})
    assert list(faults_of_sense(config)) == ["pretrain.batch_size: 3 is not a multiple of resources.gpus (2)"]


MIXED = {"regularizers": {"mixup": {"alpha": 1, "probability": 1}}}
LONGER = {"pretrain": {"epochs": 9}}
FILE = {"checkpoint": "x.pth"}
R18 = {"network": "resnet18"}


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ({"a": {}, "mixup": MIXED}, {"a": "a", "mixup": "a"}),  # whatever it is called
        ({"a": {}, "long": LONGER, "long_mixup": LONGER | MIXED}, dict.fromkeys(("a", "long", "long_mixup"), "a")),
        ({"long": LONGER, "mixup": MIXED}, {"long": "long", "mixup": "long"}),  # all rows of a network override
        ({"a": {}, "b": R18, "m": MIXED | R18}, {"a": "a", "b": "b", "m": "b"}),
        ({"a": {}, "m": MIXED | R18}, {"a": "a"}),  # no change without a baseline
        ({"a": {}, "mine": FILE, "scratch": {"init": "random"}}, dict.fromkeys(("a", "mine", "scratch"), "a")),
        ({"mine": FILE, "scratch": {"init": "random"}}, {}),
        ({"baseline": FILE, "mine": FILE}, dict.fromkeys(("baseline", "mine"), "baseline")),
        ({"mixup": MIXED}, {}),
    ],
)
def test_the_baseline_of_a_network_is_its_row_without_a_regularizer(table, expected):
    config = DEMO | {"backbones": table}
    assert rows.baselines(config) == expected
    assert list(rows.baseline_faults(config)) == []


@pytest.mark.parametrize(
    ("table", "fault"),
    [
        ({"a": {}, "b": {}}, "backbones.b: a too is a resnet50 without a regularizer"),
        ({"a": LONGER, "b": {"pretrain": {"epochs": 8}}}, "backbones.b: a too is a resnet50 without a regularizer"),
        ({"baseline": MIXED}, "backbones.baseline: not the baseline of resnet50, its row that is pretrained here "
         "without a regularizer; choose another name"),
        ({"baseline": {"init": "random"}, "a": {}}, "backbones.baseline: not the baseline of resnet50, its row that is "
         "pretrained here without a regularizer; a is that; choose another name"),
        ({"baseline": LONGER, "a": {}}, "backbones.baseline: not the baseline of resnet50"),
    ],
)  # fmt: skip
def test_two_baselines_of_a_network_and_a_false_one_are_refused(table, fault):
    config = DEMO | {"backbones": table}
    (found,) = rows.baseline_faults(config)
    assert found.startswith(fault)
