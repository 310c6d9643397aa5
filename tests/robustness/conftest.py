"""A small backbone that is right on every validation image of the tiny ImageNet, and its runs."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
from torch.utils.data import DataLoader
from torchvision.models import resnet18

from backbones.backbone import IMAGENET, save_backbone
from backbones.classifier import load_classifier
from backbones.images import TestImages
from tests.pretrain.solved import solve
from tests.robustness.recipes import RECIPE, SIZES, SPECS
from workflow.core.dataset_info import DatasetInfo
from workflow.data.class_folders import ClassFolders
from workflow.data.synthetic import generate
from workflow.planning.run_spec import RunSpec


def run_spec(task="robustness_imagenet", recipe=RECIPE):
    """As planned."""
    return RunSpec(task, "baseline", {"pretrain": 0}, dict(recipe), {}, threads=1, workers=0, gpus=0)


@pytest.fixture(scope="session")
def published(imagenet, tmp_path_factory):
    """path: of the backbone; check: of the data; images, labels: all of them; load(): the classifier."""
    check = DatasetInfo.read(imagenet.check)
    images = TestImages(ClassFolders(f"{imagenet.root}/val"), SIZES)
    (batch,) = DataLoader(images, len(images))
    path: Path = tmp_path_factory.mktemp("published") / "backbone.safetensors"
    save_backbone(path, solve(check, resnet18), IMAGENET, "resnet18", classes=check.classes)
    load = lambda: load_classifier(path)  # noqa: E731
    return SimpleNamespace(path=path, check=check, images=batch["images"], labels=batch["labels"], load=load)


@pytest.fixture(scope="session")
def checks(imagenet, tmp_path_factory):
    """Task to the CHECK.json of its drawn data."""
    folder, found = tmp_path_factory.mktemp("data"), {"robustness_imagenet": imagenet.check}
    for name, spec in SPECS.items():
        generate.make(name, spec, folder / name)
        found[name] = folder / f"{name}.json"
        importlib.import_module(f"workflow.data.{name}").check({}, folder / name, None, 1).write(found[name])
    return found | {"ood_cifar": found["odin"], "ood_imagenet": found["ood_images"]}
