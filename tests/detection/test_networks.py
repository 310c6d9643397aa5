"""Networks of other kinds than ResNet-50 in whole runs: trained, killed, resumed and scored."""

import json

import pytest

from backbones.backbone import publish_untrained
from detection.train import train
from tests.killed import killed_after

from .conftest import make_run

CONVNEXT, SWIN = "timm/convnext_atto", "timm/swin_tiny_patch4_window7_224"
SMALL = {"iterations": 2, "milestones": [], "warmup_iters": 0, "precision": "bf16", "frozen_stages": 1}
SIDES = {"min_size": 64, "max_size": 64, "score_threshold": 0.0}
RUNS = [
    (CONVNEXT, "ssd_voc", {"size": 280}),  # its maps have 35, 17, 8 cells, where a ResNet's have 35, 18, 9
    (CONVNEXT, "retinanet_voc", SIDES),
    (SWIN, "faster_rcnn_fpn_voc", SIDES),
]
RESNETS = [
    ("resnet18", "faster_rcnn_fpn_coco", SIDES | {"freeze_bn": False}),
    ("timm/resnet26t", "faster_rcnn_voc", SIDES),
]


@pytest.fixture
def go(checks, tmp_path):
    """go(network, task, changes, folder) trains there, and returns all that the run leaves."""

    def trained(network: str, name: str, changes: dict, folder: str) -> tuple:
        backbone, out = tmp_path / "backbone.safetensors", tmp_path / folder
        if not backbone.exists():
            publish_untrained(backbone, network)
        train(make_run(name, **SMALL | changes), backbone, checks[name], tmp_path / f"{folder}-state", out)
        record = json.loads((out / "metrics.json").read_text())
        files = [(out / file).read_bytes() for file in ("predictions.json", "per_image.npz")]
        return record["metrics"], record["history"], record["protocol"], files

    return trained


@pytest.mark.parametrize("run", RUNS)
def test_a_network_of_another_kind_is_trained_and_scored(go, run):
    metrics, history, protocol, files = go(*run, "whole")
    assert protocol["network"] == run[0]
    assert len(history["evaluations"]) == 1
    assert metrics.keys() == {"mAP", "mAP_area"}
    assert json.loads(files[0])


@pytest.mark.slow
@pytest.mark.parametrize("run", [*RUNS, *RESNETS])
def test_a_killed_run_ends_with_the_same_bits(go, run):
    whole = go(*run, "whole")
    with killed_after(0):
        go(*run, "killed")
    assert go(*run, "killed") == whole
