"""The negative control: torchvision's initialisation, drawn from the seed, with the statistics of training images."""

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from torchvision.models import resnet50

from backbones.backbone import IMAGENET
from backbones.images import TestImages
from pretrain import random_backbone
from pretrain.random_backbone import make
from workflow.core.files import read_json
from workflow.data.class_folders import ClassFolders
from workflow.planning.run_spec import RunSpec
from workflow.training.seeding import seed_everything

SIZES = {"network": "resnet50", "crop_size": 48, "val_resize_size": 48, "mean": IMAGENET.mean, "std": IMAGENET.std}


def run_of(seed=0, threads=1, **changes):
    recipe = {"init": "random", **SIZES, **changes}
    return RunSpec("pretrain", "scratch", {"pretrain": seed}, recipe, {}, threads=threads, workers=0, gpus=0)


def weights(imagenet, out, seed=0):
    make(run_of(seed), imagenet.check, out)
    return load_file(out / "backbone.safetensors")


def test_it_follows_from_the_seed(imagenet, tmp_path):
    one, same, other = (weights(imagenet, tmp_path / str(n), seed) for n, seed in enumerate((0, 0, 1)))
    assert all(torch.equal(one[key], same[key]) for key in one)
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


def test_its_weights_are_those_of_torchvision(imagenet, tmp_path):
    seed_everything(5, "init")
    drawn = resnet50(num_classes=4).state_dict()
    blocks = {"layer1": 3, "layer2": 4, "layer3": 6, "layer4": 3}
    for key, value in weights(imagenet, tmp_path, seed=5).items():
        if "running" in key or "num_batches" in key:
            assert not torch.equal(value, drawn[key]), key
        elif key.endswith("bn3.weight"):
            assert value.unique().tolist() == pytest.approx([blocks[key.split(".")[0]] ** -0.5])
        else:
            assert torch.equal(value, drawn[key]), key


def test_it_is_scored_on_no_image(imagenet, tmp_path):
    weights(imagenet, tmp_path)
    with np.load(tmp_path / "per_image.npz") as evidence:
        assert {name: evidence[name].shape for name in evidence} == {"images": (0,)}
    record = read_json(tmp_path / "metrics.json")
    assert (record["metrics"], record["parameters"]) == ({}, 25_557_032)


def test_each_batch_norm_has_the_statistics_of_its_inputs(imagenet, tmp_path):
    """Of one batch that is all training images: normalised by them, each feature has mean 0 and variance 1."""
    network = resnet50(num_classes=4).eval()
    network.load_state_dict(weights(imagenet, tmp_path))
    images = TestImages(ClassFolders(f"{imagenet.root}/train"), SIZES)
    outputs = []
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.register_forward_hook(
                lambda module, inputs, output: outputs.append((output / module.weight.view(1, -1, 1, 1)).clone())
            )
    with torch.no_grad():
        features = network(IMAGENET(torch.stack([images[n]["images"] for n in range(len(images))])))
    assert len(outputs) == 53
    for output in outputs:
        assert (
            output.mean(dim=(0, 2, 3)).abs().max() < 0.1
        )  # the variance is that of n - 1: it adds up from norm to norm
        variance = output.var(dim=(0, 2, 3), correction=0)
        assert 0.9 < variance.min() <= variance.max() < 1.01  # a channel may hardly vary beside the norm's epsilon
    assert features.abs().max() < 10


def test_batches_count_alike_and_so_does_the_whole_set(imagenet, tmp_path, monkeypatch):
    monkeypatch.setattr(random_backbone, "BATCH", 10)
    images, network = TestImages(ClassFolders(f"{imagenet.root}/train"), SIZES), resnet50(num_classes=4)
    assert random_backbone.calibrate(network, images, IMAGENET, threads=1) == 40
    with torch.no_grad():
        batches = IMAGENET(torch.stack([images[n]["images"] for n in range(40)])).split(10)
        means = [network.conv1(batch).mean(dim=(0, 2, 3)) for batch in batches]
    torch.testing.assert_close(network.bn1.running_mean, torch.stack(means).mean(0), atol=1e-4, rtol=1e-3)
    assert network.bn1.momentum == 0.1
    assert not network.training
    monkeypatch.setattr(random_backbone, "IMAGES", 12)
    assert random_backbone.calibrate(network, images, IMAGENET, threads=1) == 12


def test_a_network_without_batch_norm_stays_as_its_library_starts_it(imagenet, tmp_path):
    make(run_of(3, network="timm/test_convnext"), imagenet.check, tmp_path)
    seed_everything(3, "init")
    drawn = timm.create_model("test_convnext", num_classes=4).state_dict()
    found = load_file(tmp_path / "backbone.safetensors")
    assert found.keys() == drawn.keys()
    assert all(torch.equal(found[key], drawn[key]) for key in drawn)


def test_branches_of_timm_s_residual_networks_are_scaled_like_torchvision_s(imagenet, tmp_path):
    """The one block of each stage at one, which timm starts at zero; their batch norms have statistics."""
    make(run_of(3, network="timm/test_resnet"), imagenet.check, tmp_path)
    found = load_file(tmp_path / "backbone.safetensors")
    assert found["layer1.0.bn2.weight"].unique().tolist() == [1.0]
    assert found["layer4.0.bn2.running_var"].unique().numel() > 1
