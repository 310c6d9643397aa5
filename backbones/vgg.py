"""VGG-16 with global average pooling, with timm's feature interface."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision.models import vgg

from backbones.feature_maps import FeatureMaps
from workflow import registry


class VGG16GAP(FeatureMaps):
    """The layers of torchvision's VGG-16 up to its last pooling, then `conv6`, a mean over the cells, and `fc`."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.features = vgg.make_layers(vgg.cfgs["D"], batch_norm=False)[:-1]
        self.conv6 = nn.Sequential(nn.Conv2d(512, channels, 3, padding=1), nn.ReLU(inplace=True))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        for layer in (*self.features, *self.conv6):
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
                nn.init.zeros_(layer.bias)
        nn.init.normal_(self.fc.weight, 0, 0.01)
        nn.init.zeros_(self.fc.bias)

    def parts(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        """Up to conv3_3, to conv4_3 and to conv6."""
        return [self.features[:16], self.features[16:23], lambda maps: self.conv6(self.features[23:](maps))]

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Maps of conv6 to logits, or to what the classifier gets."""
        pooled = torch.flatten(self.avgpool(features), 1)
        return pooled if pre_logits else self.fc(pooled)


def vgg16_gap(name: str, classes: int, zero_init_residual: bool) -> VGG16GAP:
    """See workflow.contracts.Network. It has no residual branches to start at zero."""
    return VGG16GAP(registry.network(name).features, classes)
