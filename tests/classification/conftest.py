"""Tiny published backbones, and the features of one, for the tests of classification."""

from types import SimpleNamespace

import pytest
import torch

from backbones.backbone import IMAGENET, save_backbone
from backbones.construct import build
from classification import embeddings
from tests.classification.recipes import KNN, run
from workflow import registry


@pytest.fixture(scope="session")
def backbone(tmp_path_factory):
    """A published ResNet-18 without a classifier, as self-supervised methods leave it."""
    torch.manual_seed(0)
    weights = build(registry.network("resnet18"), 4).state_dict()
    path = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    headless = {name: value for name, value in weights.items() if not name.startswith("fc.")}
    save_backbone(path, headless, IMAGENET, "resnet18", origin="imported")
    return path


@pytest.fixture(scope="session")
def embedded(imagenet, backbone, tmp_path_factory):
    """folder: of the features of the drawn ImageNet; check, backbone: the files that they are of."""
    folder = tmp_path_factory.mktemp("features") / "embeddings"
    embeddings.make(run("knn", KNN), backbone, imagenet.check, folder)
    return SimpleNamespace(folder=folder, check=imagenet.check, backbone=backbone)
