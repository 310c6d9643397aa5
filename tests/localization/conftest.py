"""A tiny published backbone and short recipes for the tests of localization."""

import pytest
import torch

from backbones.backbone import IMAGENET, save_backbone
from backbones.construct import build
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec

SIDE = 32
CAM = {
    "batch_size": 4,
    "precision": "fp32",
    "resize_size": SIDE + 8,
    "crop_size": SIDE,
    "sigma": 0.15,
    "cam_class": "ground_truth",
    "normalization": "minmax",
    "interpolation": "bicubic",
}
WSOL = CAM | {
    "epochs": 1,
    "lr": 0.01,
    "classifier_lr": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 1e-4,
    "milestones": [],
    "map_stride": 16,
    "regularizers": "none",
    "eval_interval": 0,
}


@pytest.fixture(scope="session")
def backbone(tmp_path_factory, imagenet):
    """A published ResNet-18 with a classifier of the drawn ImageNet's classes."""
    torch.manual_seed(0)
    network = build(registry.network("resnet18"), 4)
    path, names = tmp_path_factory.mktemp("backbone") / "backbone.safetensors", DatasetInfo.read(imagenet.check).classes
    save_backbone(path, network.state_dict(), IMAGENET, "resnet18", origin="pretrained", classes=names)
    return path


def run(task, recipe, data, **changes):
    """A run of the row `baseline`."""
    seeds = {"pretrain": 0} | ({} if task == "cam_imagenet" else {"transfer": 0})
    machine = {"threads": 1, "workers": 0, "gpus": 0}
    return RunSpec(task=task, backbone="baseline", seeds=seeds, recipe=recipe | changes, data=data, **machine)
