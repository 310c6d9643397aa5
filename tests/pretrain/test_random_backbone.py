"""The negative control: torchvision's initialisation, drawn from the seed."""

import numpy as np
import torch
from safetensors.torch import load_file
from torchvision.models import resnet50

from pretrain.random_backbone import make
from workflow.training.run import Run


def weights(imagenet, out, seed=0, zero=False):
    recipe = {"init": "random", "zero_init_residual": zero}
    make(Run("pretrain", "scratch", {"pretrain": seed}, recipe, {}, threads=1, workers=0, gpus=0), imagenet.check, out)
    return load_file(out / "backbone.safetensors")


def test_it_follows_from_the_seed(imagenet, tmp_path):
    one, same, other = (weights(imagenet, tmp_path / str(n), seed) for n, seed in enumerate((0, 0, 1)))
    assert torch.equal(one["conv1.weight"], same["conv1.weight"])
    assert not torch.equal(one["conv1.weight"], other["conv1.weight"])


def test_it_is_scored_on_no_image(imagenet, tmp_path):
    weights(imagenet, tmp_path)
    with np.load(tmp_path / "evidence.npz") as evidence:
        assert {name: evidence[name].shape for name in evidence} == {"images": (0,)}


def test_its_residual_branches_begin_as_those_of_pretraining(imagenet, tmp_path):
    assert weights(imagenet, tmp_path / "a")["layer3.2.bn3.weight"].unique().tolist() == [1]
    assert weights(imagenet, tmp_path / "b", zero=True)["layer3.2.bn3.weight"].unique().tolist() == [0]


def test_with_frozen_batch_norm_its_features_stay_in_bounds(imagenet, tmp_path):
    """The detectors freeze batch norm: without statistics each residual branch would add to what comes out."""
    found = {}
    for zero in (False, True):
        network = resnet50(num_classes=4).eval()
        network.load_state_dict(weights(imagenet, tmp_path / str(zero), zero=zero))
        network.fc = torch.nn.Identity()
        with torch.no_grad():
            found[zero] = network(torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))).std().item()
    assert found[True] < 10 < found[False]
