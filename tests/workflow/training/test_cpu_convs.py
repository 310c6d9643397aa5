"""A network that is laid out for speed is the same network."""

import copy

import pytest
import torch
from torch import nn
from torchvision.models import resnet50

from workflow.training.cpu_convs import MatmulConv1x1, MatmulConv3x3, channels_last, use_matmul


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("side", [1, 2, 7])
def test_a_product_is_the_convolution_with_its_gradients(stride, bias, side):
    torch.manual_seed(0)
    plain = nn.Conv2d(16, 24, 1, stride=stride, bias=bias)
    fast = channels_last(copy.deepcopy(plain))
    assert isinstance(fast, MatmulConv1x1)
    found = []
    for layer in (plain, fast):
        images = torch.randn(4, 16, side, side, generator=torch.Generator().manual_seed(1), requires_grad=True)
        out = layer(images)
        out.square().sum().backward()
        found.append([out, images.grad, *(parameter.grad for parameter in layer.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("sides", [(1, 1), (2, 2), (4, 7), (3, 2), (40, 40)])
def test_a_3_x_3_product_is_the_convolution_with_its_gradients(stride, bias, sides):
    torch.manual_seed(0)
    plain = nn.Conv2d(512, 8, 3, stride=stride, padding=1, bias=bias)
    fast = channels_last(copy.deepcopy(plain))
    assert isinstance(fast, MatmulConv3x3)
    found = []
    for layer in (plain, fast):
        images = torch.randn(2, 512, *sides, generator=torch.Generator().manual_seed(1), requires_grad=True)
        out = layer(images)
        out.sin().sum().backward()
        found.append([out, images.grad, *(parameter.grad for parameter in layer.parameters())])
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(other, one, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel", [1, 3])
def test_under_bf16_a_product_is_as_exact_as_the_convolution(kernel, stride):
    """How far the answer and each gradient lie from those in float64, on maps that are bf16 as inside a network. In the
    gradient of the maps each of nine products is rounded, which a convolution does not do: 1.24 times its error."""
    torch.manual_seed(0)
    plain = nn.Conv2d(512, 32, kernel, stride=stride, padding=kernel // 2, bias=False)
    images, above = torch.randn(4, 512, 6, 6).bfloat16(), torch.randn(4, 32, 6 // stride, 6 // stride).bfloat16()
    found = []
    for layer in (plain, channels_last(copy.deepcopy(plain)), copy.deepcopy(plain).double()):
        exact = layer.weight.dtype == torch.float64
        given = images.to(torch.float64 if exact else torch.bfloat16, copy=True).requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=not exact):
            out = layer(given)
        (out * above).sum().backward()
        found.append([each.detach().double() for each in (out, given.grad, layer.weight.grad)])
    for one, other, exact, most in zip(*found, [1.01, 1.27 if kernel == 3 else 1.01, 1.01], strict=True):
        assert (other - exact).norm() <= most * (one - exact).norm()


def test_only_plain_convolutions_of_one_cell_become_products():
    kinds = [nn.Conv2d(4, 4, 1, groups=2), nn.Conv2d(4, 4, 1, padding=1), nn.Conv2d(4, 4, 3, padding=1)]
    assert not any(isinstance(each, MatmulConv1x1 | MatmulConv3x3) for each in channels_last(nn.Sequential(*kinds)))


def test_a_resnet_keeps_its_keys_and_its_answer():
    torch.manual_seed(0)
    plain = resnet50(num_classes=5).eval()
    fast = channels_last(copy.deepcopy(plain))
    assert sum(isinstance(module, MatmulConv1x1) for module in fast.modules()) == 36
    assert list(fast.state_dict()) == list(plain.state_dict())
    assert fast.conv1.weight.is_contiguous(memory_format=torch.channels_last)
    images = torch.randn(2, 3, 64, 64)
    torch.testing.assert_close(fast(images), plain(images), rtol=1e-4, atol=1e-4)


def test_products_are_for_wide_or_strided_kernels_without_gaps():
    def kind(*sizes, **how):
        return type(channels_last(nn.Conv2d(*sizes, 3, **{"padding": 1, **how})))

    assert kind(512, 4) is kind(4, 4, stride=2) is MatmulConv3x3
    assert kind(511, 4) is kind(512, 4, dilation=2) is kind(512, 4, padding=0) is kind(512, 4, groups=2) is nn.Conv2d


def test_cells_are_counted_in_the_output():
    assert use_matmul(torch.empty(2, 3, 4, 8), 1, 64)
    assert not use_matmul(torch.empty(2, 3, 4, 8), 1, 63)
    assert use_matmul(torch.empty(2, 3, 5, 7), 2, 2 * 3 * 4)
    assert not use_matmul(torch.empty(2, 3, 5, 7), 2, 2 * 3 * 4 - 1)
