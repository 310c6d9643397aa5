"""torchvision's ResNets with timm's feature interface, and a module in every skip connection, so that a regularizer can
act there. Names and values of weights are torchvision's."""

from collections.abc import Callable

import torch
from torch import nn
from torchvision import models
from torchvision.models.resnet import BasicBlock, Bottleneck

from backbones.feature_maps import FeatureMaps
from workflow import registry

WIDER = {  # inside of a bottleneck
    "resnext101_32x8d": {"groups": 32, "width_per_group": 8},
    "wide_resnet50_2": {"width_per_group": 128},
}


class ResNet(FeatureMaps, models.ResNet):
    """torchvision's; `downsample` is in every block. It has no weights where there was none."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        models.ResNet.__init__(self, *args, **kwargs)
        for block in self.modules():
            if hasattr(block, "downsample") and block.downsample is None:
                block.downsample = nn.Identity()

    def parts(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        """The stem, as timm counts, and the four stages."""
        return [self.stem, self.first, self.layer2, self.layer3, self.layer4]

    def stem(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) to (N, 64, H / 2, W / 2)."""
        return self.relu(self.bn1(self.conv1(images)))

    def first(self, features: torch.Tensor) -> torch.Tensor:
        """The stem's maps to those of `layer1`, half as large."""
        return self.layer1(self.maxpool(features))

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Maps of the last stage to logits, or to what the classifier gets."""
        pooled = torch.flatten(self.avgpool(features), 1)
        return pooled if pre_logits else self.fc(pooled)


def resnet(name: str, classes: int, zero_init_residual: bool) -> ResNet:
    """See workflow.contracts.Network."""
    declared = registry.network(name)
    block = Bottleneck if len(declared.strides) > 1 else BasicBlock
    depths = [len(stage.blocks) for stage in declared.stages]
    return ResNet(block, depths, num_classes=classes, zero_init_residual=zero_init_residual, **WIDER.get(name, {}))
