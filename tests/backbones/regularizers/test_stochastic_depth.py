"""The laws of Stochastic Depth."""

import pytest
import torch

from backbones.regularizers.stochastic_depth import StochasticDepth, dropped
from workflow import registry
from workflow.core.rng import rng

PARAMETERS = {"drop_prob": 0.5}
NETWORKS = registry.networks()
IMAGES, TARGETS = torch.zeros(2, 3, 8, 8), torch.eye(2)


def branch_scales(drop, i, network="resnet50"):
    changes, targets = StochasticDepth(drop, 1.0).feature_transforms(IMAGES, TARGETS, rng(0, i), 0.0, NETWORKS[network])
    assert torch.equal(targets, TARGETS)
    return torch.stack([change(torch.ones(4, 2, 3, 3)) for change in changes.values()])


BRANCHES = {
    "resnet18": [f"layer{stage}.{block}.bn2" for stage in range(1, 5) for block in range(2)],
    "resnet50": [
        f"layer{stage}.{block}.bn3" for stage, blocks in enumerate((3, 4, 6, 3), 1) for block in range(blocks)
    ],
}


@pytest.mark.parametrize("network", BRANCHES)
def test_it_acts_on_the_last_norm_of_each_block(network):
    changes = StochasticDepth(0.5, 1.0).feature_transforms(IMAGES, TARGETS, rng(0), 0.0, NETWORKS[network])[0]
    assert list(changes) == BRANCHES[network]


@pytest.mark.parametrize("network", BRANCHES)
def test_the_keep_rate_falls_linearly_to_the_nominal_one(network):
    found = torch.stack([(branch_scales(0.5, i, network) > 0).flatten(1).all(dim=1).float() for i in range(2000)]).mean(
        dim=0
    )
    blocks = len(BRANCHES[network])
    nominal = 1 - 0.5 * torch.arange(1, blocks + 1) / blocks
    assert (found - nominal).abs().max() < 0.03


def test_a_block_is_dropped_whole_for_the_whole_batch_and_the_expectation_is_kept():
    found = torch.stack([branch_scales(0.25, i) for i in range(3000)])
    flat = found.flatten(2)
    assert torch.equal(flat, flat[:, :, :1].expand_as(flat))
    assert (found.mean(dim=(0, 2, 3, 4, 5)) - 1).abs().max() < 0.03


def test_blocks_are_dropped_independently():
    alive = torch.stack([(branch_scales(1.0, i) > 0).flatten(1).all(dim=1).float() for i in range(2000)])
    correlation = torch.corrcoef(alive[:, 3:-1].T) - torch.eye(12)
    assert correlation.abs().max() < 0.1


def test_drop_0_changes_nothing():
    assert torch.equal(branch_scales(0.0, 1), torch.ones(16, 4, 2, 3, 3))


def test_in_bf16_what_is_kept_is_scaled_exactly():
    branch = torch.randn(2, 8, 5, 5, generator=torch.Generator().manual_seed(1)).bfloat16()
    found = [dropped(branch, 0.3, rng(i)) for i in range(20)]
    expected = (branch.double() / (1 - 0.3)).bfloat16()
    assert {torch.equal(each, expected) for each in found} == {True, False}
    assert all(torch.equal(each, expected) or not each.any() for each in found)
