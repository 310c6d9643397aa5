"""A tiny published backbone for the tests of localization."""

import pytest
import torch

from backbones.backbone import IMAGENET, save_backbone
from backbones.construct import build
from workflow import registry
from workflow.core.dataset_info import DatasetInfo


@pytest.fixture(scope="session")
def backbone(tmp_path_factory, imagenet):
    """A published ResNet-18 with a classifier of the drawn ImageNet's classes."""
    torch.manual_seed(0)
    network = build(registry.network("resnet18"), 4)
    path, names = tmp_path_factory.mktemp("backbone") / "backbone.safetensors", DatasetInfo.read(imagenet.check).classes
    save_backbone(path, network.state_dict(), IMAGENET, "resnet18", origin="pretrained", classes=names)
    return path
