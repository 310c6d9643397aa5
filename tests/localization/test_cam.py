"""Class activation maps: their mean over the cells is the logit without its bias."""

import pytest
import torch

from backbones.construct import build, set_map_stride
from localization.cam import centred_gaussian, class_maps, features_and_logits
from localization.task import no_map, no_mean
from workflow import registry

NAMES = ["resnet18", "vgg16_gap", "pyramidnet20_a8_basic", "timm/test_resnet", "timm/test_efficientnet"]


@pytest.mark.parametrize("name", NAMES)
def test_the_mean_of_a_map_is_the_logit_without_bias(name):
    network = registry.network(name)
    torch.manual_seed(0)
    module, images = build(network, 5).eval(), torch.randn(3, 3, 64, 64)
    classifier = module.get_submodule(network.classifier)
    classes = torch.tensor([4, 0, 2])
    with torch.no_grad():
        features, logits = features_and_logits(module, network, images)
        torch.testing.assert_close(logits, module(images))
        maps = class_maps(features, classifier.weight, classes)
        expected = logits[range(3), classes] - classifier.bias[classes]
    torch.testing.assert_close(maps.mean(dim=(1, 2)), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("stride", [32, 16, 8])
def test_a_smaller_stride_gives_more_cells_with_the_same_weights(stride):
    network = registry.network("resnet18")
    torch.manual_seed(0)
    module, images = build(network, 5).eval(), torch.randn(1, 3, 64, 64)
    before = {key: value.clone() for key, value in module.state_dict().items()}
    set_map_stride(module, network, stride)
    features, logits = features_and_logits(module, network, images)
    assert features.shape == (1, 512, 64 // stride, 64 // stride)
    assert all(torch.equal(before[key], value) for key, value in module.state_dict().items())
    classifier = module.get_submodule(network.classifier)
    maps = class_maps(features, classifier.weight, torch.tensor([1]))
    torch.testing.assert_close(maps.mean() + classifier.bias[1], logits[0, 1], rtol=1e-4, atol=1e-5)


def test_a_network_without_a_mean_or_with_another_map_is_refused():
    recipe = {"map_stride": 16}
    assert "its classifier gets no mean" in no_mean(registry.network("timm/test_vit"), {})
    assert "its classifier gets no mean" in no_map(registry.network("timm/test_convnext"), recipe)
    assert no_map(registry.network("resnet50"), recipe) == no_map(registry.network("vgg16_gap"), recipe) == ""
    other = no_map(registry.network("vgg16_gap"), {"map_stride": 8})
    assert other == "its last map can have a stride of 16 px, not of map_stride 8"
    assert "a stride of 32 px, not of map_stride 16" in no_map(registry.network("timm/test_resnet"), recipe)


def test_the_gaussian_is_in_the_middle():
    image = centred_gaussian(64)[0]
    assert torch.equal(image, image.flip(0))
    assert torch.equal(image, image.T)
    assert image.argmax() in (31 * 64 + 31, 31 * 64 + 32, 32 * 64 + 31, 32 * 64 + 32)
