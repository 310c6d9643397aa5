"""How a network is laid out for speed: channels last, and convolutions as the matrix products that they are.

On a CPU torch's convolution reorders its weights in every call, which costs most of the time on small maps: forward and
backward of layer4's 1 × 1 at 2 × 2 cells take 5 instead of 12 to 18 ms as products, its strided 3 × 3 on 128 regions of
4 × 4 cells 42 instead of 114. On large maps torch's own are faster: with products everywhere a ResNet-50 at 224 px, 16
images, is 5 % slower than with none, with the limits below as fast; at 64 px, 32 images, a quarter faster.
"""

import numpy as np
import torch
from torch import nn
from torch.autograd.function import FunctionCtx
from torch.nn import functional

FEW, FEWER = 1024, 512  # cells of all maps together, up to which 1 × 1 and 3 × 3 products are faster
WIDE = 512  # channels, from which 3 × 3 products are


def use_matmul(maps: torch.Tensor, stride: int, limit: int) -> bool:
    """Whether the output of (N, C, H, W) has at most `limit` cells; never on a GPU, where cuDNN chooses for itself."""
    number, _, height, width = maps.shape
    return not maps.is_cuda and number * -(-height // stride) * -(-width // stride) <= limit


class MatmulConv1x1(nn.Conv2d):
    """A Conv2d of kernel 1 without padding or groups: the same sums, in another order."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Maps (N, C, H, W) to (N, out_channels, H / stride, W / stride)."""
        stride = self.stride[0]
        if use_matmul(input, stride, FEW):
            cells = input[..., ::stride, ::stride].permute(0, 2, 3, 1).contiguous()  # else one product a row
            return functional.linear(cells, self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        return super().forward(input)


class Im2Col3x3(torch.autograd.Function):
    """Maps (N, H, W, C) to what a 3 × 3 kernel with padding 1 sees at each of its places: (N, OH, OW, 9, C)."""

    @staticmethod
    def forward(ctx: FunctionCtx, cells: torch.Tensor, stride: int) -> torch.Tensor:
        """Nine copies of the map, each shifted."""
        padded = functional.pad(cells, (0, 0, 1, 1, 1, 1))
        ctx.shape, ctx.stride = cells.shape, stride
        return torch.stack([padded[place] for place in Im2Col3x3.places(cells.shape, stride)], dim=3)

    @staticmethod
    def backward(ctx: FunctionCtx, grad: torch.Tensor) -> tuple[torch.Tensor, None]:
        """Their sum, each shifted back: rounded once, and not at each of the nine."""
        number, height, width, channels = ctx.shape
        exact = torch.promote_types(grad.dtype, torch.float32)
        padded = grad.new_zeros(number, height + 2, width + 2, channels, dtype=exact)
        for tap, place in enumerate(Im2Col3x3.places(ctx.shape, ctx.stride)):
            padded[place] += grad[:, :, :, tap]
        return padded[:, 1:-1, 1:-1].to(grad.dtype), None

    @staticmethod
    def places(shape: torch.Size, stride: int) -> list[tuple[slice, ...]]:
        """Of the nine copies in the padded map."""
        high, wide = ((side - 1) // stride * stride + 1 for side in shape[1:3])
        return [np.s_[:, y : y + high : stride, x : x + wide : stride] for y, x in np.ndindex(3, 3)]


class MatmulConv3x3(nn.Conv2d):
    """A Conv2d of kernel 3 with padding 1: where cells are few, the same sums in another order."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """Maps (N, C, H, W) to (N, out_channels, H / stride, W / stride)."""
        stride = self.stride[0]
        if not use_matmul(input, stride, FEWER):
            return super().forward(input)
        seen = Im2Col3x3.apply(input.permute(0, 2, 3, 1), stride).flatten(3)
        return functional.linear(seen, self.weight.permute(0, 2, 3, 1).flatten(1), self.bias).permute(0, 3, 1, 2)


def plain(module: nn.Conv2d) -> bool:
    """Whether the products below are its sums: dense, of one stride, beyond its edges zeros."""
    dense = module.groups == 1 and module.dilation == (1, 1) and module.stride[0] == module.stride[1]
    return dense and module.padding_mode == "zeros"


def channels_last(model: nn.Module) -> nn.Module:
    """Lay `model` out, in place; names, parameters and hooks stay as they are. Returns it."""
    for module in model.modules():
        if type(module) is nn.Conv2d and plain(module):
            shape = module.kernel_size, module.padding
            if shape == ((1, 1), (0, 0)):
                module.__class__ = MatmulConv1x1
            elif shape == ((3, 3), (1, 1)) and (module.in_channels >= WIDE or module.stride[0] > 1):
                module.__class__ = MatmulConv3x3
    return model.to(memory_format=torch.channels_last)
