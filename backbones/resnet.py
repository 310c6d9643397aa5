"""torchvision's ResNets with a module in every skip connection, so that a regularizer can act there."""

from torch import nn
from torchvision import models


def resnet18(classes: int, zero_init_residual: bool) -> nn.Module:
    """See workflow.contracts.Network."""
    return with_skips(models.resnet18(weights=None, num_classes=classes, zero_init_residual=zero_init_residual))


def resnet50(classes: int, zero_init_residual: bool) -> nn.Module:
    """See workflow.contracts.Network."""
    return with_skips(models.resnet50(weights=None, num_classes=classes, zero_init_residual=zero_init_residual))


def with_skips(network: nn.Module) -> nn.Module:
    """In place: `downsample` is in every block. It has no weights where there was none, so names stay the same."""
    for block in network.modules():
        if hasattr(block, "downsample") and block.downsample is None:
            block.downsample = nn.Identity()
    return network
