"""The registry, and what holds for every regularizer."""

import inspect

import pytest
import torch

from backbones.regularizers import REGULARIZERS, base, build
from backbones.regularizers.base import IndexPermutation, Regularizer, per_rank_rng, register, seeded
from tests.backbones.regularizers.examples import PARAMETERS
from workflow import registry
from workflow.config.regularizers import declared
from workflow.core.rng import rng

IMAGES = torch.rand(6, 3, 10, 10, generator=torch.Generator().manual_seed(1))
FEATURES = torch.rand(6, 4, 6, 6, generator=torch.Generator().manual_seed(2)) + 1

NETWORK = registry.networks()["resnet50"]


def regularizer_of(name, probability=1.0):
    return build({name: {**PARAMETERS[name], "probability": probability}})[0]


def applied(regularizer, *keys):
    """All that a regularizer does at its four places, with the draws of `keys`, as one vector."""
    image = regularizer.image((IMAGES[0] * 255).to(torch.uint8), rng(*keys)).float()
    batch, targets = regularizer.batch(IMAGES, torch.eye(6), rng(*keys), 0.0)
    changes, blended = regularizer.feature_transforms(IMAGES, torch.eye(6), rng(*keys), 1.0, NETWORK)
    features = [change(FEATURES) for change in changes.values()]
    names = torch.tensor([float(sum(name.encode())) for name in changes])
    smoothed = regularizer.target(torch.eye(6), rng(*keys))
    return torch.cat([part.flatten() for part in (image, batch, targets, blended, smoothed, names, *features)])


def test_what_the_planning_reads_is_what_the_constructors_take():
    assert declared().keys() == REGULARIZERS.keys()
    for name, each in declared().items():
        taken = list(inspect.signature(REGULARIZERS[name].__init__).parameters.values())[1:]
        optional = {key: kind["default"] for key, kind in each.parameters.items() if "default" in kind}
        required = [key for key in each.parameters if key not in optional]
        assert [*required, "probability", *optional] == [each.name for each in taken]
        assert optional == {each.name: each.default for each in taken if each.default is not each.empty}
        assert each.mixes == REGULARIZERS[name].mixes


def test_those_of_residual_blocks_change_outputs_of_blocks_only():
    outputs = {output for block in NETWORK.blocks for output in block.outputs}
    for name, each in declared().items():
        changes, _ = regularizer_of(name).feature_transforms(IMAGES, torch.eye(6), rng(0, 7), 1.0, NETWORK)
        assert each.residual == (bool(changes) and changes.keys() <= outputs)


def test_the_mixing_ones_are_those_that_blend_targets():
    mixing = {name for name in PARAMETERS if name != "label_smoothing" and blends(regularizer_of(name))}
    assert mixing == {name for name, each in declared().items() if each.mixes}


def blends(regularizer):
    batch = regularizer.batch(IMAGES, torch.eye(6), rng(0, 7), 0.0)[1]
    inside = regularizer.feature_transforms(IMAGES, torch.eye(6), rng(0, 7), 1.0, NETWORK)[1]
    return not (torch.equal(batch, torch.eye(6)) and torch.equal(inside, torch.eye(6)))


def test_a_name_is_taken_once():
    with pytest.raises(ValueError, match="mixup is registered twice"):
        register("mixup", {})(type("Other", (Regularizer,), {}))


def test_the_order_in_the_config_means_nothing():
    config = {name: {**PARAMETERS[name], "probability": 1.0} for name in ("cutmix", "autoaugment", "cutout")}
    assert [r.name for r in build(config)] == ["autoaugment", "cutmix", "cutout"]


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_same_keys_give_the_same_draw(name):
    regularizer, other = regularizer_of(name), regularizer_of(name)
    assert torch.equal(applied(regularizer, 0, name, 7), applied(other, 0, name, 7))
    if name == "label_smoothing":
        return  # draws nothing but whether it acts
    many = [applied(regularizer, seed, name, i) for seed, i in [(0, 7), *((1, i) for i in range(8))]]
    assert any(many[0].shape != each.shape or not torch.equal(many[0], each) for each in many[1:])


@pytest.mark.parametrize("name", PARAMETERS)
def test_probability_0_does_nothing(name):
    nothing = applied(Regularizer(0.0), 0, name, 7)
    assert torch.equal(applied(regularizer_of(name, 0.0), 0, name, 7), nothing)
    assert not any(torch.equal(applied(regularizer_of(name), 0, name, i), nothing) for i in (7, 8))


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_probability_does_not_move_the_draws(name):
    always, often = regularizer_of(name), regularizer_of(name, 0.6)
    nothing = applied(Regularizer(0.0), 0)
    found = [(applied(always, 0, name, i), applied(often, 0, name, i)) for i in range(40)]
    acted = [torch.equal(a, b) for a, b in found]
    assert all(same or torch.equal(b, nothing) for same, (_, b) in zip(acted, found, strict=True))
    assert 14 <= sum(acted) <= 34


@pytest.mark.parametrize("name", PARAMETERS)
def test_the_global_generators_are_left_alone(name):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    applied(regularizer_of(name), 0, name, 7)
    assert torch.equal(torch.rand(3), expected)


def test_seeded_follows_the_generator_alone():
    with seeded(rng(1)):
        first = torch.rand(2)
    torch.rand(5)
    with seeded(rng(1)):
        assert torch.equal(torch.rand(2), first)
    with seeded(rng(2)):
        assert not torch.equal(torch.rand(2), first)


def test_permuted_is_indexing_and_its_gradient():
    order = torch.randperm(6, generator=torch.Generator().manual_seed(3))
    plain, ours = IMAGES.clone().requires_grad_(), IMAGES.clone().requires_grad_()
    found, weights = IndexPermutation.apply(ours, order), torch.rand(IMAGES.shape)
    assert torch.equal(found, plain[order])
    (found * weights).sum().backward()
    (plain[order] * weights).sum().backward()
    assert torch.equal(ours.grad, plain.grad)


def test_each_process_draws_other_things_for_its_samples(monkeypatch):
    """And none of them what is drawn for the whole batch; one process has the batch's draws."""

    def draws(rank, world):
        monkeypatch.setattr(base, "get_dist_info", lambda: (rank, world))
        return tuple(per_rank_rng(rng(0)).random(4))

    batch = tuple(rng(0).random(4))
    assert len({batch, *(draws(rank, 4) for rank in range(4))}) == 5
    assert draws(2, 4) == draws(2, 4)
    assert draws(0, 1) == batch
