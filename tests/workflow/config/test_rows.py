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
        "too small at 112 px; it takes resnet50"
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
