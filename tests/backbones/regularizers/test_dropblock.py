"""The laws of DropBlock (paper, section 3; figures of section 4.1)."""

import numpy as np
import pytest
import torch
from torchvision.ops import drop_block2d

from backbones import construct
from backbones.regularizers.dropblock import DropBlock, Scaled, block_masks, masked, output_shapes, sample_blocks
from workflow import registry
from workflow.core.rng import rng

PARAMETERS = {"block_size": 3, "keep_prob": 0.7}
NETWORKS = registry.networks()
IMAGES, TARGETS = torch.zeros(2, 3, 8, 8), torch.eye(2)


def changes(progress, keep=0.9, block=7, network="resnet50"):
    found, targets = DropBlock(block, keep, 1.0).feature_transforms(
        IMAGES, TARGETS, rng(0), progress, NETWORKS[network]
    )
    assert torch.equal(targets, TARGETS)
    return found


def share(module, progress, keep=0.9, side=14, block=3, network="resnet50"):
    """The cells that stay, over many channels, of what is done to a module's output."""
    return (changes(progress, keep, block, network)[module](torch.ones(16, 256, side, side)) > 0).float().mean().item()


NORMS = {"resnet18": ((2, 2), ("bn1", "bn2")), "resnet50": ((6, 3), ("bn1", "bn2", "bn3"))}


@pytest.mark.parametrize("network", NORMS)
def test_it_acts_on_every_convolution_and_skip_of_the_last_two_stages(network):
    """In the order of the blocks, in which the squares are drawn."""
    depths, norms = NORMS[network]
    expected = [
        f"layer{stage}.{block}.{part}"
        for stage, blocks in zip((3, 4), depths, strict=True)
        for block in range(blocks)
        for part in (*norms, "downsample")
    ]
    assert list(changes(1.0, network=network)) == expected


@pytest.mark.parametrize(("keep", "side", "block"), [(0.9, 14, 7), (0.9, 7, 7), (0.8, 14, 3), (0.7, 9, 1), (0.9, 2, 7)])
def test_the_keep_rate_is_the_nominal_one(keep, side, block):
    assert abs(share("layer4.0.bn1", 1.0, keep, side, block) - keep) < 0.03
    assert abs(share("layer3.5.downsample", 1.0, keep, side, block) - (1 - (1 - keep) / 4)) < 0.03
    assert abs(share("layer4.1.bn2", 1.0, keep, side, block, "resnet18") - keep) < 0.03
    assert abs(share("layer3.1.downsample", 1.0, keep, side, block, "resnet18") - (1 - (1 - keep) / 4)) < 0.03


def test_the_rate_rises_linearly_from_nothing():
    assert torch.equal(changes(0.0)["layer4.0.bn1"](torch.ones(1, 1, 7, 7)), torch.ones(1, 1, 7, 7))
    rates = [1 - share("layer4.0.bn1", progress, keep=0.8, block=1) for progress in (0.25, 0.5, 0.75)]
    assert all(abs(rate - expected) < 0.01 for rate, expected in zip(rates, (0.05, 0.1, 0.15), strict=True))


@pytest.mark.parametrize("side", [7, 14])
def test_the_expectation_is_kept_in_bf16(side):
    kept = masked(torch.ones(64, 256, side, side, dtype=torch.bfloat16), 0.1, 7, rng(3)).float()
    exact = masked(torch.ones(64, 256, side, side), 0.1, 7, rng(3))
    assert abs(exact.mean() - 1) < 1e-4
    assert (kept - exact).abs().max() < 2**-8 * 1.2, "no more than the rounding of the result"


def test_what_is_dropped_are_whole_squares_and_the_expectation_is_kept():
    features = masked(torch.ones(64, 16, 12, 12), 0.15, 3, rng(3))
    assert abs(features.mean() - 1) < 1e-4
    holes = (features == 0).float()
    # Every hole is covered by 3 x 3 squares of holes: opening the mask by the block changes nothing.
    whole = -torch.nn.functional.max_pool2d(-holes, 3, stride=1)
    opened = torch.nn.functional.max_pool2d(torch.nn.functional.pad(whole, [2] * 4), 3, stride=1)
    assert holes.sum() > 100
    assert torch.equal(opened, holes)


def test_channels_and_samples_have_masks_of_their_own():
    holes = masked(torch.ones(4, 8, 10, 10), 0.3, 3, rng(1)).flatten(2).flatten(0, 1) == 0
    assert len(holes.unique(dim=0)) > 24


def test_each_module_draws_its_own():
    found = list(changes(1.0, keep=0.5, block=3).values())
    assert not torch.equal(found[0](torch.ones(2, 4, 8, 8)), found[1](torch.ones(2, 4, 8, 8)))


@pytest.mark.parametrize(("rate", "side"), [(0.1, 7), (0.3, 3), (0.2, 1), (0.0, 3)])
def test_on_a_gpu_odd_blocks_are_torchvision_s(rate, side):
    """The mask of a GPU, with the CPU's generator, of one channel: several are drawn in the order of channels last."""
    ones = torch.ones(4, 1, 9, 14)
    torch.manual_seed(1)
    found = block_masks({"a": ones.shape}, {"a": rate}, side, ones.device)["a"]
    torch.manual_seed(1)
    expected = drop_block2d(ones, rate, side)
    assert torch.equal(found == 0, expected == 0)
    torch.testing.assert_close(found, expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("side", [2, 4])
def test_even_blocks_are_whole_squares_and_drop_as_often_on_a_cpu_as_on_a_gpu(side):
    torch.manual_seed(1)
    ones = torch.ones(100, 100, 8, 9)
    masks = (masked(ones, 0.1, side, rng(3)), block_masks({"": ones.shape}, {"": 0.1}, side, ones.device)[""])
    for holes in ((mask == 0).float() for mask in masks):
        whole = -torch.nn.functional.max_pool2d(-holes, side, stride=1)
        opened = torch.nn.functional.max_pool2d(torch.nn.functional.pad(whole, [side - 1] * 4), side, stride=1)
        assert holes.sum() > 1000
        assert torch.equal(opened, holes)
    one, other = ((mask == 0).float().mean((0, 1)) for mask in masks)
    assert (one - other).abs().max() < 0.02
    assert all(abs(mask.mean() - 1) < 1e-3 for mask in masks)


def test_on_a_map_smaller_than_a_block_the_side_is_odd():
    """As ever: the bits of earlier trainings depend on it."""
    for cells, block in ((2, 7), (3, 4), (4, 7)):
        odd = cells - (cells + 1) % 2
        ones = torch.ones(2, 16, cells, cells)
        assert torch.equal(masked(ones, 0.3, block, rng(5)), masked(ones, 0.3, odd, rng(5)))


SETTINGS = [(0.1, 7, 7, 7), (0.025, 7, 14, 14), (0.3, 3, 9, 12), (0.4, 1, 5, 5), (0.6, 5, 8, 6), (1.0, 3, 6, 6)]


@pytest.mark.parametrize(("rate", "side", "height", "width"), SETTINGS)
def test_it_drops_each_cell_as_often_as_torchvision_and_scales_alike(rate, side, height, width):
    """40,000 maps: the share of holes at each cell, that of pairs of cells, and that of untouched maps."""
    torch.manual_seed(1)
    ones = torch.ones(200, 200, height, width)
    found = [(masked(ones, rate, side, rng(5)) == 0).float(), (drop_block2d(ones, rate, side) == 0).float()]
    ours, theirs = (holes.flatten(2).flatten(0, 1) for holes in found)
    assert (ours.mean(dim=0) - theirs.mean(dim=0)).abs().max() < 0.015
    assert (ours.T @ ours - theirs.T @ theirs).abs().max() / len(ours) < 0.015
    assert abs((ours.sum(1) == 0).float().mean() - (theirs.sum(1) == 0).float().mean()) < 0.015
    assert abs(ours.sum(1).std() - theirs.sum(1).std()) < 0.03 * theirs.sum(1).std() + 0.02


@pytest.mark.parametrize(("rate", "side", "height", "width"), SETTINGS)
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_the_cells_are_counted_once(rate, side, height, width, form):
    features = torch.ones(16, 32, height, width).contiguous(memory_format=form)
    cells, dropped = sample_blocks(features.shape, features.stride(), rate, side, rng(2))
    assert dropped == len(np.unique(cells)) == (masked(features, rate, side, rng(2)) == 0).sum()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("form", [torch.contiguous_format, torch.channels_last])
def test_forwards_and_backwards_are_a_multiplication_by_the_same_mask(form, dtype):
    """To the bit, whatever the layout of features and gradient."""
    generator = torch.Generator().manual_seed(1)
    plain, gradient = torch.randn(2, 4, 16, 14, 14, generator=generator).to(dtype)
    mask = masked(torch.ones(4, 16, 14, 14).contiguous(memory_format=form), 0.3, 3, rng(4))
    features = plain.contiguous(memory_format=form).requires_grad_()
    found = masked(features, 0.3, 3, rng(4))
    found.backward(gradient)
    assert found.is_contiguous(memory_format=form)
    assert torch.equal(found, (plain * mask).to(dtype))
    assert torch.equal(features.grad, (gradient * mask).to(dtype))


def test_on_a_gpu_each_module_has_a_mask_of_its_shape_rate_and_draws():
    shapes = {
        name: torch.Size(shape) for name, shape in (("a", (8, 16, 9, 9)), ("b", (8, 4, 7, 7)), ("c", (8, 16, 9, 9)))
    }
    masks = block_masks(shapes, {"a": 0.2, "b": 0.1, "c": 0.2}, 3, torch.device("cpu"))
    assert {name: mask.shape for name, mask in masks.items()} == shapes
    for name, rate in (("a", 0.2), ("b", 0.1), ("c", 0.2)):
        assert abs((masks[name] == 0).float().mean() - rate) < 0.03
        assert masks[name].mean() == pytest.approx(1, abs=1e-5), "each keeps its own mean"
    assert not torch.equal(masks["a"], masks["c"])
    same = block_masks(shapes, {"a": 0.2, "b": 0.1, "c": 0.1}, 3, torch.device("cpu"))
    assert abs((same["c"] == 0).float().mean() - 0.1) < 0.03, "modules of one shape may have two rates"


def test_where_every_cell_is_dropped_nothing_is_infinite():
    (mask,) = block_masks({"a": torch.Size((2, 3, 3, 3))}, {"a": 1.0}, 3, torch.device("cpu")).values()
    assert torch.equal(mask, torch.zeros(2, 3, 3, 3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_on_a_gpu_a_product_is_rounded_once(dtype):
    torch.manual_seed(1)
    mask, gradient = torch.rand(2, 3, 4, 4), torch.randn(2, 3, 4, 4).to(dtype)
    features = torch.randn(2, 3, 4, 4).to(dtype).contiguous(memory_format=torch.channels_last).requires_grad_()
    found = Scaled.apply(mask, features)
    found.backward(gradient)
    assert found.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(found, (features * mask).to(dtype))
    assert torch.equal(features.grad, (gradient * mask).to(dtype))


def test_the_shapes_are_those_of_the_outputs_and_nothing_is_computed(monkeypatch):
    network = construct.build(NETWORKS["resnet18"], 2).train()
    state = {name: value.clone() for name, value in network.state_dict().items()}
    names = dict.fromkeys(changes(1.0, network="resnet18"), 0.1)
    shapes = output_shapes(network, names, torch.zeros(3, 3, 64, 48))
    assert list(shapes) == list(names)
    assert shapes["layer3.0.bn1"] == (3, 256, 4, 3)
    assert shapes["layer4.1.downsample"] == (3, 512, 2, 2)
    assert all(torch.equal(value, state[name]) for name, value in network.state_dict().items())
    assert not any(module._forward_hooks for module in network.modules())


def test_the_shapes_of_images_are_found_once():
    regularizer, images = DropBlock(3, 0.9, 1.0), torch.zeros(2, 3, 64, 64, device="meta")
    regularizer.network = construct.build(NETWORKS["resnet18"], 2)
    arguments = images, TARGETS, rng(0), 1.0, NETWORKS["resnet18"]
    first, _ = regularizer.feature_transforms(*arguments)
    del regularizer.network
    again, _ = regularizer.feature_transforms(*arguments)
    assert list(first) == list(again) == list(changes(1.0, network="resnet18"))
