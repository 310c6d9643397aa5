"""Three stages of a convolution, batch norm, ReLU and max pooling; a linear classifier on the mean of the last."""

import torch
from torch import nn

from backbones.feature_maps import FeatureMaps


class Plain(FeatureMaps):
    """The classifier is `head`; `stage3` is the last feature layer."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.stage1, self.stage2, self.stage3 = stage(3, 16), stage(16, 32), stage(32, 64)
        self.head = nn.Linear(64, classes)

    def parts(self) -> list[nn.Module]:
        """From images (N, 3, H, W) to the last map."""
        return [self.stage1, self.stage2, self.stage3]

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """The last map to logits (N, classes), or to what the classifier gets (N, 64)."""
        pooled = features.mean(dim=(2, 3))
        return pooled if pre_logits else self.head(pooled)


def stage(inputs: int, outputs: int) -> nn.Sequential:
    """(N, inputs, H, W) to (N, outputs, H / 2, W / 2)."""
    convolution = nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU(), nn.MaxPool2d(2))


def plainnet(name: str, classes: int, zero_init_residual: bool) -> Plain:
    """The constructor that the declaration names; there is no residual branch to start at zero."""
    return Plain(classes)
