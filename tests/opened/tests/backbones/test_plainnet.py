"""A file of weights of the plain network is recognized, and is what its encoder loads."""

import pytest
import torch
from torchvision.models import resnet18

from backbones.backbone import IMAGENET, load_backbone, save_backbone
from backbones.checkpoint_weights import find_weights
from backbones.construct import encoder
from backbones.network_signature import check_weights
from backbones.plainnet import plainnet
from workflow import registry
from workflow.core.errors import UserError

NETWORK = registry.networks()["plainnet"]


@pytest.fixture
def network():
    torch.manual_seed(0)
    return plainnet("plainnet", classes=3, zero_init_residual=False).eval()


def test_its_weights_are_found_in_a_training_checkpoint(network, tmp_path):
    weights = {f"module.{name}": value for name, value in network.state_dict().items()}
    file = find_weights(tmp_path / "a.pth", {"epoch": 3, "model": weights}, None, NETWORK)
    assert (file.layout, file.left_over) == ("state dict under model/module", [])
    assert check_weights(tmp_path / "a.pth", file.weights, NETWORK).keys() == network.state_dict().keys()


def test_another_network_is_refused(tmp_path):
    weights = resnet18(num_classes=3).state_dict()
    with pytest.raises(UserError, match="is not a plain network, but looks like resnet18"):
        check_weights(tmp_path / "a.pth", find_weights(tmp_path / "a.pth", weights, None, NETWORK).weights, NETWORK)


def test_its_encoder_has_the_features_of_the_classifier(network, tmp_path):
    save_backbone(tmp_path / "a.safetensors", network.state_dict(), IMAGENET, "plainnet")
    images, features = torch.rand(2, 3, 32, 32), encoder(NETWORK).eval()
    load_backbone(tmp_path / "a.safetensors", features)
    with torch.no_grad():
        torch.testing.assert_close(network.head(features(images)), network(images))
