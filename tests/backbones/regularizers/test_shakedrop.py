"""The laws of ShakeDrop."""

import copy

import numpy as np
import pytest
import torch

from backbones.construct import build
from backbones.regularized_loss import changed
from backbones.regularizers import shakedrop
from backbones.regularizers.shakedrop import ShakeDrop
from backbones.regularizers.stochastic_depth import branch_rates
from workflow import registry
from workflow.core.rng import rng

PARAMETERS = {"drop_prob": 0.5, "level": "image"}
NETWORK = registry.network("pyramidnet20_a8_basic")
RESNET = registry.network("resnet18")
IMAGES, TARGETS = torch.zeros(6, 3, 8, 8), torch.eye(6)
LEVELS = ["image", "pixel"]


def transforms(i, drop=0.5, level="image", network=RESNET, images=IMAGES):
    found, targets = ShakeDrop(drop, 1.0, level).feature_transforms(images, TARGETS, rng(0, i), 0.0, network)
    assert targets is TARGETS
    return found


def outputs(count, **options):
    """What becomes of branches of ones: (draws, branches, N, ...)."""
    ones = torch.ones(6, 2, 3, 3)
    return torch.stack(
        [torch.stack([change(ones) for change in transforms(i, **options).values()]) for i in range(count)]
    )


def test_it_acts_on_the_last_norm_of_each_block():
    assert list(transforms(0)) == [f"layer{stage}.{block}.bn2" for stage in range(1, 5) for block in range(2)]
    assert list(transforms(0, network=NETWORK)) == [
        f"layer{stage}.{block}.bn3" for stage in (1, 2, 3) for block in range(3)
    ]


@pytest.mark.parametrize("level", LEVELS)
def test_the_expectation_in_training_is_the_output_in_the_test(level):
    found = outputs(2000, level=level)
    assert (found.mean(dim=(0, 2, 3, 4, 5)) - 1).abs().max() < 0.04


@pytest.mark.parametrize("level", LEVELS)
def test_the_death_rate_rises_linearly_and_is_drawn_for_the_whole_batch(level):
    """An open branch is x / (1 − rate) in all images, a shut one within ± that."""
    found = outputs(2000, level=level).flatten(2)
    scale = 1 / (1 - 0.5 * torch.arange(1, 9) / 8).view(1, 8, 1)
    same = found.isclose(scale.expand_as(found))
    opened = same.all(2)
    assert same[~opened].float().mean() < 1e-3
    assert (opened.float().mean(0) - 1 / scale.flatten()).abs().max() < 0.03
    shut = (found / scale)[~opened]
    assert shut.abs().max() <= 1 + 1e-6
    assert abs(shut.mean()) < 0.02
    assert abs(shut.std() - 3**-0.5) < 0.02, "uniform from -1 to 1"


def test_an_image_has_one_scale_and_a_pixel_of_every_channel_its_own():
    last = [each[-1].flatten(1) for each in outputs(20)]
    assert all(torch.equal(each, each[:, :1].expand_as(each)) for each in last)
    shut = [each[:, 0] for each in last if not torch.allclose(each, torch.tensor(2.0))]
    assert all(len(each.unique()) == 6 for each in shut)
    assert len(shut) > 3
    pixels = [each[-1] for each in outputs(20, level="pixel") if not torch.allclose(each[-1], torch.tensor(2.0))]
    assert all(len(each.unique()) > 0.99 * each.numel() for each in pixels)


@pytest.mark.parametrize("level", LEVELS)
def test_backwards_a_shut_branch_has_a_scale_of_its_own_from_0(level):
    forwards, backwards = [], []
    for i in range(400):
        change = list(transforms(i, level=level).values())[-1]
        branch = torch.ones(6, 2, 3, 3, requires_grad=True)
        out = change(branch)
        out.sum().backward()
        if out.detach().allclose(torch.tensor(2.0)):
            assert torch.equal(branch.grad, torch.full_like(branch, 2.0)), "open: of x / (1 - rate)"
        else:
            forwards.append(out.detach() / 2)
            backwards.append(branch.grad / 2)
    alpha, beta = (torch.stack(each)[:, :, 0, 0, 0].flatten() for each in (forwards, backwards))
    assert len(alpha) > 800
    assert beta.min() >= 0
    assert beta.max() <= 1
    assert abs(beta.mean() - 0.5) < 0.03
    assert abs(beta.std() - 12**-0.5) < 0.02
    assert abs(torch.corrcoef(torch.stack([alpha, beta]))[0, 1]) < 0.08


@pytest.mark.parametrize("level", LEVELS)
def test_a_drop_probability_of_0_is_the_identity(level):
    branch = torch.randn(6, 2, 3, 3, requires_grad=True)
    for change in transforms(1, drop=0.0, level=level).values():
        out = change(branch)
        assert torch.equal(out, branch)
        (gradient,) = torch.autograd.grad(out.sum(), branch)
        assert torch.equal(gradient, torch.ones_like(branch))


class PaperForm(torch.autograd.Function):
    """Section 3.3: α x, and β times the gradient."""

    @staticmethod
    def forward(ctx, branch, alpha, beta):
        ctx.beta = beta
        return branch * alpha

    @staticmethod
    def backward(ctx, gradient):
        return gradient * ctx.beta, None, None


def test_it_is_the_papers_network_with_the_last_norms_in_another_unit():
    """Theirs has weights and biases 1 / (1 − rate) times ours, the same α and β, and 1 − rate in the test."""
    torch.manual_seed(0)
    ours = build(NETWORK, 5)
    with torch.no_grad():
        for block in NETWORK.blocks:
            ours.get_submodule(block.ends[0]).bias.normal_()
    theirs, rates = copy.deepcopy(ours), branch_rates(NETWORK, 0.5)
    for name, rate in rates.items():
        for each in theirs.get_submodule(name).parameters():
            each.data /= 1 - rate
    images = torch.randn(6, 3, 32, 32)
    changes, paper = transforms(3, network=NETWORK, images=images), {}
    for name, rate in rates.items():
        probe = torch.ones(6, 1, 1, 1, requires_grad=True)
        scaled = changes[name](probe)
        (slopes,) = torch.autograd.grad(scaled.sum(), probe)
        alpha, beta = (each.detach() * (1 - rate) for each in (scaled, slopes))
        paper[name] = lambda branch, alpha=alpha, beta=beta: PaperForm.apply(branch, alpha, beta)
    assert any((alpha < 0.9).any() for alpha in (paper[name](torch.ones(6, 1, 1, 1)) for name in paper)), "one is shut"
    with changed(ours, [changes], NETWORK), changed(theirs, [paper], NETWORK):
        found, expected = ours(images), theirs(images)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    found.square().sum().backward()
    expected.square().sum().backward()
    torch.testing.assert_close(ours.conv1.weight.grad, theirs.conv1.weight.grad, rtol=1e-3, atol=1e-3)
    test = {name: lambda branch, rate=rate: branch * (1 - rate) for name, rate in rates.items()}
    theirs.load_state_dict({k: v for k, v in ours.state_dict().items() if "running" in k}, strict=False)
    with torch.no_grad(), changed(theirs.eval(), [test], NETWORK):
        torch.testing.assert_close(ours.eval()(images), theirs(images), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("level", LEVELS)
def test_in_bf16_branches_stay_bf16(level):
    branch = torch.randn(6, 2, 3, 3).bfloat16().requires_grad_()
    for change in transforms(3, level=level).values():
        out = change(branch)
        out.sum().backward()
        assert out.dtype == branch.grad.dtype == torch.bfloat16


def test_on_several_processes_images_have_the_draws_that_they_have_on_one(monkeypatch):
    branch = torch.ones(6, 1, 1, 1)
    together = [change(branch).flatten() for change in transforms(5).values()]
    for rank in range(2):
        monkeypatch.setattr(shakedrop, "get_dist_info", lambda rank=rank: (rank, 2))
        mine = [change(branch[:3]).flatten() for change in transforms(5, images=IMAGES[:3]).values()]
        assert all(torch.equal(part, all_of[rank::2]) for part, all_of in zip(mine, together, strict=True))
    assert any(len(each.unique()) > 1 for each in together), "some branch is shut"


def test_a_process_draws_pixels_of_its_own_for_the_same_branches(monkeypatch):
    found = []
    for rank in range(2):
        monkeypatch.setattr("backbones.regularizers.base.get_dist_info", lambda rank=rank: (rank, 2))
        found.append([change(torch.ones(6, 2, 3, 3)) for change in transforms(5, level="pixel").values()])
    same = np.array([torch.equal(one, other) for one, other in zip(*found, strict=True)])
    opened = np.array([len(one.unique()) == 1 for one in found[0]])
    assert (same == opened).all()
    assert 0 < opened.sum() < 8
