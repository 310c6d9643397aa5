"""The laws of Feature CutMix."""

import numpy as np
import pytest
import torch
from torchvision.models import resnet50

from backbones.regularizers.cutmix import CutMix
from backbones.regularizers.feature_cutmix import FeatureCutMix
from workflow import registry
from workflow.core.rng import rng

PARAMETERS = {"alpha": 1.0, "layers": ["input", "layer1", "layer2"]}
IMAGES = torch.rand(8, 3, 50, 70, generator=torch.Generator().manual_seed(1))
TARGETS = torch.eye(8)
NETWORK = registry.networks()["resnet50"]
STRIDES = {stage.name: stage.stride for stage in NETWORK.stages}


def test_at_the_input_it_is_cutmix_exactly():
    cutmix, feature = CutMix(1.0, 0.8), FeatureCutMix(1.0, ["input"], 0.8)
    for i in range(20):
        images, targets = cutmix.batch(IMAGES, TARGETS, rng(0, i), 0.0)
        changes, blended = feature.feature_transforms(IMAGES, TARGETS, rng(0, i), 0.0, NETWORK)
        assert set(changes) <= {""}
        assert torch.equal(changes.get("", lambda x: x)(IMAGES), images)
        assert torch.equal(blended, targets)


@pytest.mark.parametrize(("height", "width"), [(48, 48), (50, 70), (33, 224)])
def test_the_box_is_drawn_on_the_map_that_the_network_really_has(height, width):
    network, sizes = resnet50(weights=None).eval(), {}
    for layer in STRIDES:
        hook = lambda module, inputs, output, layer=layer: sizes.update({layer: tuple(output.shape[-2:])})  # noqa: E731
        network.get_submodule(layer).register_forward_hook(hook)
    with torch.no_grad():
        network(torch.zeros(1, 3, height, width))
    assert sizes == {layer: (-(-height // s), -(-width // s)) for layer, s in STRIDES.items()}


@pytest.mark.parametrize("layer", ["layer1", "layer2", "layer3", "layer4"])
def test_the_label_weight_is_the_share_of_cells_that_was_not_pasted(layer):
    regularizer, height, width = FeatureCutMix(1.0, [layer], 1.0), *(-(-side // STRIDES[layer]) for side in (50, 70))
    own = torch.arange(8.0).view(8, 1, 1, 1).expand(8, 1, height, width)
    for i in range(30):
        changes, targets = regularizer.feature_transforms(IMAGES, TARGETS, rng(i), 0.0, NETWORK)
        cells = changes[layer](own)
        for n in range(8):
            kept = (cells[n] == n).float().mean()
            assert torch.allclose(targets[n, n], kept, atol=1e-6)
            partner = cells[n][cells[n] != n].unique()
            assert len(partner) <= 1
            if len(partner):
                assert torch.allclose(targets[n, int(partner)], 1 - kept, atol=1e-6)


@pytest.mark.parametrize(("layer", "pixels"), [("layer1", 224), ("layer4", 224), ("layer2", 48), ("layer4", 48)])
def test_on_any_map_as_much_is_pasted_as_by_cutmix(layer, pixels):
    images, targets = torch.zeros(2, 3, pixels, pixels), torch.eye(2)
    cutmix, feature = CutMix(1.0, 1.0), FeatureCutMix(1.0, [layer], 1.0)
    pasted = [1 - cutmix.batch(images, targets, rng(i), 0.0)[1][0, 0] for i in range(1500)]
    cells = [1 - feature.feature_transforms(images, targets, rng(i), 0.0, NETWORK)[1][0, 0] for i in range(1500)]
    assert np.mean(pasted) > 0.1
    assert abs(np.mean(pasted) - np.mean(cells)) < 0.03
