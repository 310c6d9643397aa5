"""Which networks each detector takes, by their declarations."""

import dataclasses

import pytest

from detection import stages
from detection.task import TASKS
from workflow import registry

REJECTS = {task.name: task.rejects for task in TASKS}
C4, FPN = ["faster_rcnn_voc", "faster_rcnn_coco"], ["faster_rcnn_fpn_voc", "faster_rcnn_fpn_coco"]
RECIPE = {"frozen_stages": 1}
RESNET = registry.networks()["resnet50"]
ALONE = "C4 puts regions of stride 16 through a last stage of residual convolutions"
OTHERS = [
    "timm/convnext_tiny",
    "timm/swin_tiny_patch4_window7_224",
    "timm/efficientnet_b0",
    "timm/mobilenetv3_large_100",
]
PLAIN = dataclasses.replace(
    RESNET, stages=tuple(dataclasses.replace(stage, blocks=()) for stage in RESNET.stages)
)  # its maps only


def rejected(network, tasks=REJECTS, **recipe) -> dict[str, str]:
    reasons = {name: REJECTS[name](network, RECIPE | recipe) for name in tasks}
    return {name: reason for name, reason in reasons.items() if reason}


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "resnext101_32x8d", "timm/seresnet50"])
def test_all_take_residual_networks(name):
    assert rejected(registry.network(name)) == {}


@pytest.mark.parametrize("name", OTHERS)
def test_c4_only_rejects_networks_of_other_blocks(name):
    """EfficientNet has more than one module at stride 32, Swin has no maps between its stages."""
    found = rejected(registry.network(name))
    assert found == dict.fromkeys(C4, f"{ALONE} (faster_rcnn_fpn_voc and faster_rcnn_fpn_coco take it)")
    assert list(rejected(PLAIN)) == C4


def test_maps_that_are_not_there_are_named():
    coarse = dataclasses.replace(RESNET, stages=RESNET.stages[1:])
    assert rejected(coarse) == dict.fromkeys(FPN, "it works on maps of strides 4, 8, 16, 32, not 8, 16, 32")
    found = rejected(registry.network("timm/vit_tiny_patch16_224"))
    assert found["ssd_voc"] == found["retinanet_voc"] == "it works on maps of strides 8, 16, 32, not 16"
    assert found["faster_rcnn_voc"] == ALONE
    assert len(found) == len(TASKS)


def test_stages_that_a_network_has_can_be_frozen_but_for_c4_s_last():
    said = {most: f"frozen_stages can be at most {most} of its stages" for most in (3, 4)}
    assert rejected(RESNET, frozen_stages=3) == {}
    assert rejected(RESNET, frozen_stages=4) == dict.fromkeys(C4, said[3])
    assert rejected(RESNET, frozen_stages=5) == {name: said[3 if name in C4 else 4] for name in REJECTS}


def test_the_last_stage_of_each_stride_is_taken():
    assert stages.out_indices(RESNET, stages.SSD) == [1, 2, 3]
    again = dataclasses.replace(RESNET, stages=(*RESNET.stages[:2], RESNET.stages[1], *RESNET.stages[2:]))
    assert stages.out_indices(again, stages.PYRAMID) == [0, 2, 3, 4]
