"""The laws of Manifold Mixup."""

from collections import Counter

import torch

from backbones.regularizers.manifold_mixup import ManifoldMixup, sample_layer
from backbones.regularizers.mixup import Mixup
from workflow import registry
from workflow.core.rng import rng

PARAMETERS = {"alpha": 1.0, "layers": ["input", "layer1", "layer2"]}
IMAGES = torch.rand(8, 3, 12, 12, generator=torch.Generator().manual_seed(1))
TARGETS = torch.eye(8)
NETWORK = registry.networks()["resnet50"]


def test_at_the_input_it_is_mixup_exactly():
    mixup, manifold = Mixup(0.7, 0.8), ManifoldMixup(0.7, ["input"], 0.8)
    for i in range(20):
        images, targets = mixup.batch(IMAGES, TARGETS, rng(0, i), 0.0)
        changes, blended = manifold.feature_transforms(IMAGES, TARGETS, rng(0, i), 0.0, NETWORK)
        assert set(changes) <= {""}
        assert torch.equal(changes.get("", lambda x: x)(IMAGES), images)
        assert torch.equal(blended, targets)


def test_the_layer_is_uniform_over_those_named():
    layers = ["input", "layer1", "layer3"]
    found = Counter(sample_layer(layers, rng(i)) for i in range(3000))
    assert all(abs(found[module] / 3000 - 1 / 3) < 0.03 for module in ("", "layer1", "layer3"))
    regularizer = ManifoldMixup(1.0, layers, 1.0)
    names = {
        name for i in range(60) for name in regularizer.feature_transforms(IMAGES, TARGETS, rng(i), 0.0, NETWORK)[0]
    }
    assert names == {"", "layer1", "layer3"}


def test_the_layers_that_there_are_do_not_move_what_is_blended():
    few, many = (ManifoldMixup(1.0, layers, 1.0) for layers in (["layer1"], ["layer1", "layer2", "layer4"]))
    for i in range(5):
        one, two = (each.feature_transforms(IMAGES, TARGETS, rng(i), 0.0, NETWORK) for each in (few, many))
        assert torch.equal(one[1], two[1])
        assert torch.equal(next(iter(one[0].values()))(IMAGES), next(iter(two[0].values()))(IMAGES))


def test_features_are_blended_as_the_targets_are():
    """Targets that are also the features: what is blended alike stays equal."""
    changes, targets = ManifoldMixup(1.0, ["layer2"], 1.0).feature_transforms(IMAGES, TARGETS, rng(3), 0.0, NETWORK)
    features = changes["layer2"](TARGETS.view(8, 8, 1, 1).expand(8, 8, 2, 2))
    assert torch.allclose(features[:, :, 0, 0], targets)
    assert (targets < 1).any()
