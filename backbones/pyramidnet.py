"""PyramidNets with timm's feature interface, and a module in every skip connection."""

from collections.abc import Callable

import torch
from torch import nn
from torch.nn import functional

from backbones.feature_maps import FeatureMaps
from backbones.networks import pyramidnet as declarations


class Shortcut(nn.Module):
    """Pooled to the branch's size, and with channels of zeros behind its own; it has no weights.

    Args:
        channels: of the output.
        stride: cells a side that become one.
    """

    def __init__(self, channels: int, stride: int) -> None:
        super().__init__()
        self.channels, self.stride = channels, (stride, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (N, C, H, W) to (N, channels, H / stride, W / stride)."""
        if self.stride != (1, 1):
            maps = functional.avg_pool2d(maps, self.stride, ceil_mode=True)
        return functional.pad(maps, (0, 0, 0, 0, 0, self.channels - maps.shape[1]))


class PyramidBlock(nn.Module):
    """A batch norm before each convolution and one at the end, a ReLU before each convolution but the first.

    Args:
        inputs: channels of the input.
        width: channels of the convolutions of 3x3.
        stride: of the block.
        kind: `bottleneck` or `basic`.
    """

    def __init__(self, inputs: int, width: int, stride: int, kind: str) -> None:
        super().__init__()
        outputs = width * declarations.EXPANSION[kind]
        if kind == "bottleneck":
            sizes = [(inputs, width, 1, 1), (width, width, 3, stride), (width, outputs, 1, 1)]
        else:
            sizes = [(inputs, width, 3, stride), (width, outputs, 3, 1)]
        for number, (before, after, kernel, step) in enumerate(sizes, start=1):
            setattr(self, f"bn{number}", nn.BatchNorm2d(before))
            convolution = nn.Conv2d(before, after, kernel, step, padding=kernel // 2, bias=False)
            setattr(self, f"conv{number}", convolution)
        self.depth = len(sizes)
        setattr(self, f"bn{self.depth + 1}", nn.BatchNorm2d(outputs))
        self.relu = nn.ReLU(inplace=True)
        self.downsample = Shortcut(outputs, stride)

    def forward(self, maps: torch.Tensor) -> torch.Tensor:
        """Maps (N, C, H, W) to (N, outputs, H / stride, W / stride)."""
        branch = self.conv1(self.bn1(maps))
        for number in range(2, self.depth + 1):
            branch = getattr(self, f"conv{number}")(self.relu(getattr(self, f"bn{number}")(branch)))
        return getattr(self, f"bn{self.depth + 1}")(branch) + self.downsample(maps)


class PyramidNet(FeatureMaps):
    """Images (N, 3, H, W) to logits (N, classes).

    Args:
        widths: of the blocks of each stage.
        kind: of all blocks.
        classes: number of outputs.
        zero_init_residual: start each residual branch at zero.
    """

    def __init__(self, widths: tuple[tuple[int, ...], ...], kind: str, classes: int, zero_init_residual: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, declarations.STEM, 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(declarations.STEM)
        channels = declarations.STEM
        for number, stage in enumerate(widths, start=1):
            blocks = nn.Sequential()
            for place, width in enumerate(stage):
                blocks.append(PyramidBlock(channels, width, 2 if number > 1 and place == 0 else 1, kind))
                channels = width * declarations.EXPANSION[kind]
            self.add_module(f"layer{number}", blocks)
        self.bn_final = nn.BatchNorm2d(channels)
        self.relu_final = nn.ReLU(inplace=True)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc = nn.Linear(channels, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(module, PyramidBlock) and zero_init_residual:
                nn.init.zeros_(module.get_submodule(f"bn{module.depth + 1}").weight)

    def parts(self) -> list[Callable[[torch.Tensor], torch.Tensor]]:
        """The stem, and the three stages; behind the last is the final batch norm with its ReLU."""
        return [self.stem, self.layer1, self.layer2, self.last]

    def stem(self, images: torch.Tensor) -> torch.Tensor:
        """(N, 3, H, W) to (N, 16, H, W)."""
        return self.bn1(self.conv1(images))

    def last(self, maps: torch.Tensor) -> torch.Tensor:
        """The maps of `layer2` to those that the classifier gets the mean of."""
        return self.relu_final(self.bn_final(self.layer3(maps)))

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Maps of the last stage to logits, or to what the classifier gets."""
        pooled = torch.flatten(self.avgpool(features), 1)
        return pooled if pre_logits else self.fc(pooled)


def pyramidnet(name: str, classes: int, zero_init_residual: bool) -> PyramidNet:
    """See workflow.contracts.Network."""
    depth, alpha, kind = declarations.parsed(name)
    return PyramidNet(declarations.widths(depth, alpha, kind), kind, classes, zero_init_residual)
