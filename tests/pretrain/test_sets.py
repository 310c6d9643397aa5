"""Pretraining on sets other than ImageNet, from the first step to the figures: CIFAR-10, FashionMNIST, folders."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from backbones.backbone import load_weights, metadata, recipe_preprocessing
from pretrain import cam, random_backbone
from pretrain.dataset import open_train_images
from pretrain.evaluate import evaluate
from pretrain.gallery import gallery
from pretrain.import_backbone import import_checkpoint
from pretrain.train import train
from tests.demo import demo
from workflow.config.loading import check as check_config
from workflow.config.loading import overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json, sha256
from workflow.data import labelled
from workflow.planning.plan import plan
from workflow.planning.run_spec import RunSpec

MEAN, STD = [125.3, 123.0, 113.9], [63.0, 62.1, 66.7]  # of CIFAR in the reference code
CUTOUT = {"cutout": {"size": 16, "probability": 1.0}}
RECIPE = {
    "network": "timm/test_resnet", "epochs": 1, "batch_size": 10, "lr": 0.02, "momentum": 0.9, "nesterov": True,
    "weight_decay": 1e-4, "warmup_iters": 0, "milestones": [], "precision": "fp32", "crop_size": 32,
    "val_resize_size": 32, "crop_scale": [1.0, 1.0], "crop_padding": 4, "mean": MEAN, "std": STD, "color_jitter": 0.0,
    "pca_lighting": 0.0, "zero_init_residual": True, "eval_interval": 1,
}  # fmt: skip


def run_of(**changes):
    recipe = {**RECIPE, "regularizers": CUTOUT, **changes}
    return RunSpec("pretrain", "baseline", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=0)


@pytest.fixture(scope="module", params=["cifar10", "fashion_mnist", "image_folder"])
def trained(request, tmp_path_factory):
    """A set with a backbone that is pretrained on it."""
    made, folder = request.getfixturevalue(request.param), tmp_path_factory.mktemp("trained")
    train(run_of(), made.check, folder / "state", folder / "out")
    check = DatasetInfo.read(made.check)
    return SimpleNamespace(name=request.param, check=check, file=made.check, section=made.section, out=folder / "out")


def test_the_record_is_that_of_its_test_images(trained, tmp_path):
    record = read_json(trained.out / "metrics.json")
    assert record["protocol"]["split"] == "8 test images, resize 32, crop 32"
    again = evaluate(trained.out / "backbone.safetensors", trained.check, RECIPE, 1, tmp_path / "e.npz")
    assert again == record["metrics"]
    with np.load(tmp_path / "e.npz") as found:
        source = labelled.open_test(trained.check)
        assert found["images"].tolist() == [source.name(place) for place in range(8)]
    assert (tmp_path / "e.npz").read_bytes() == (trained.out / "per_image.npz").read_bytes()


def test_the_file_has_the_mean_and_std_of_the_recipe(trained):
    about = metadata(trained.out / "backbone.safetensors")
    assert (about["mean"], about["std"], about["channel_order"]) == (MEAN, STD, "RGB")
    assert about["classes"] == trained.check.classes
    card = (trained.out / "README.md").read_text()
    assert "      split: test\n" in card
    assert f"{trained.name}: 4 classes, 20 training and 8 test images, fingerprint" in card.replace("\\", "")


def test_a_backbone_is_imported_and_scored_on_it(trained, tmp_path, monkeypatch):
    monkeypatch.setattr("pretrain.import_backbone.near_chance", lambda *about: False)  # it has seen 20 images
    path = trained.out / "backbone.safetensors"
    declared = {"preprocessing": {"channel_order": "RGB", "mean": MEAN, "std": STD}, "stride": "3x3"}
    scored = {key: RECIPE[key] for key in ("network", "crop_size", "val_resize_size", "batch_size", "precision")}
    recipe = {"checkpoint": str(path), "sha256": sha256(path), "checkpoint_key": None, **declared, **scored}
    run = RunSpec("pretrain", "mine", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=0)
    import_checkpoint(run, path, trained.file, tmp_path / "out")
    mine, theirs = (read_json(folder / "metrics.json") for folder in (tmp_path / "out", trained.out))
    assert mine["metrics"] == theirs["metrics"]
    assert mine["protocol"] == {"epoch": "imported", "split": "8 test images, resize 32, crop 32"}


def test_a_random_backbone_has_its_statistics(trained, tmp_path):
    recipe = {key: RECIPE[key] for key in ("network", "crop_size", "val_resize_size", "mean", "std")}
    run = RunSpec("pretrain", "scratch", {"pretrain": 0}, recipe | {"init": "random"}, {}, threads=1, workers=0, gpus=0)
    random_backbone.make(run, trained.file, tmp_path)
    weights, prepare = load_weights(tmp_path / "backbone.safetensors")
    assert (list(prepare.mean), list(prepare.std)) == (MEAN, STD)
    assert all(value.isfinite().all() for value in weights.values())


def test_what_cutout_covers_has_the_mean_colour_of_the_recipe(trained):
    """It is zero after normalisation, up to the rounding of pixels."""
    plain, cut = (open_train_images(trained.check, RECIPE | {"regularizers": each}, 0) for each in ({}, CUTOUT))
    for index in range(4):
        image, other = cut[index, 0]["images"], plain[index, 0]["images"]
        hole = (image != other).any(0)
        assert 0 < hole.sum() <= 16 * 16
        assert image[:, hole].unique(dim=1).flatten().tolist() == [125, 123, 114]
        assert recipe_preprocessing(RECIPE)(image[None])[0][:, hole].abs().max() < 0.01


def test_the_figures_show_its_photos(trained):
    config = overlay(demo("cutout"), {"pretrain": RECIPE | {"data": "mine"}})
    config["backbones"] = {"baseline": {}, "cutout": {"regularizers": CUTOUT}}
    section = json.loads(json.dumps(trained.section)) | {"layout": trained.name}
    config = check_config(config | {"data": config["data"] | {"mine": section}}, "x.yaml")
    rows = gallery(plan(config).gallery, trained.check)
    assert [row.name for row in rows] == ["baseline", "cutout"]
    assert rows[0].photos.shape == (4, 3, 32, 32)
    filled = (rows[1].photos == torch.tensor([125, 123, 114], dtype=torch.uint8).view(3, 1, 1)).all(1)
    assert (filled.flatten(1).sum(1) >= 8 * 8).all(), "with the mean of the recipe"
    shown = cam.rows({"baseline": trained.out}, trained.check)
    assert len(shown) == 2
    assert shown[0].photos.shape[0] == 5
