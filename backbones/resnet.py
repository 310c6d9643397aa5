"""torchvision's ResNets with timm's feature interface, and a module in every skip connection, so that a regularizer can
act there. Names and values of weights are torchvision's. Forms for CIFAR have its blocks and names."""

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
        self.add_skip_modules()

    def add_skip_modules(self) -> None:
        """Let each skip connection be a module."""
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


class CifarResNet(ResNet):
    """A stem of 3x3 without stride or pooling, and as many stages as there are widths.

    Args:
        block: torchvision's class of its blocks.
        depths: blocks of each stage.
        widths: channels of each stage, where blocks are basic.
        classes: number of outputs.
        zero_init_residual: start each residual branch at zero.
    """

    def __init__(
        self,
        block: type[BasicBlock | Bottleneck],
        depths: list[int],
        widths: list[int],
        classes: int,
        zero_init_residual: bool,
    ) -> None:
        nn.Module.__init__(self)
        self._norm_layer, self.groups, self.base_width, self.dilation = nn.BatchNorm2d, 1, 64, 1  # of `_make_layer`
        self.inplanes = widths[0]
        self.conv1 = nn.Conv2d(3, widths[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(widths[0])
        self.relu = nn.ReLU(inplace=True)
        for number, (depth, width) in enumerate(zip(depths, widths, strict=True), start=1):
            self.add_module(f"layer{number}", self._make_layer(block, width, depth, stride=1 if number == 1 else 2))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(widths[-1] * block.expansion, classes)
        self.add_skip_modules()
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, block) and zero_init_residual:
                nn.init.zeros_((module.bn3 if isinstance(module, Bottleneck) else module.bn2).weight)

    def parts(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        """The stem and the stages."""
        return [self.stem, *(each for name, each in self.named_children() if name.startswith("layer"))]


def cifar_resnet(name: str, classes: int, zero_init_residual: bool) -> CifarResNet:
    """See workflow.contracts.Network."""
    stages = registry.network(name).stages
    block = Bottleneck if stages[0].blocks[0].ends[0].endswith("bn3") else BasicBlock
    depths, widths = ([len(stage.blocks) for stage in stages], [stage.channels // block.expansion for stage in stages])
    return CifarResNet(block, depths, widths, classes, zero_init_residual)
