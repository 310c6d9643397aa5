"""A backbone that is right on every validation image of the tiny ImageNet, and two networks of three classes."""

import pytest
import torch
from torchvision.models import resnet50

from tests.pretrain.conftest import solved  # noqa: F401 (a fixture)


def network(seed):
    torch.manual_seed(seed)
    return resnet50(num_classes=3)


@pytest.fixture(scope="session")
def raw():
    return network(0).state_dict()


@pytest.fixture(scope="session")
def average():
    return network(1).state_dict()
