"""What a config may write for weights that a library publishes."""

import pytest

from workflow.config.library_weights import LibraryWeights, is_name, library_weights


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("timm:convnext_tiny.fb_in22k_ft_in1k", "convnext_tiny"),
        ("timm:convnext_tiny", "convnext_tiny"),
        ("torchvision:Wide_ResNet50_2_Weights.IMAGENET1K_V1", "wide_resnet50_2"),
        ("torchvision:resnext101_32x8d", "resnext101_32x8d"),
    ],
)
def test_a_name_says_its_network(text, network):
    assert library_weights(text).network == network


def test_a_path_is_no_name():
    assert [library_weights(path) for path in ("weights/a.pth", "timm/a", "other:a", "timm")] == [None] * 4
    assert library_weights("timm:a.b") == LibraryWeights("timm", "a.b")


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".a", "a..b", "a b", "a.b.c", "ä"])
def test_what_cannot_be_a_folder_is_no_name(name):
    assert not is_name(LibraryWeights("timm", name))
    assert is_name(LibraryWeights("timm", "vit_base_patch16_224.augreg2_in21k_ft_in1k"))
