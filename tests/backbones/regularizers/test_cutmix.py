"""The laws of CutMix (paper, section 3.1)."""

import numpy as np
import pytest
import torch

from backbones.regularizers.cutmix import CutMix, box
from backbones.regularizers.label_smoothing import LabelSmoothing
from workflow.core.rng import rng

PARAMETERS = {"alpha": 1.0}
IMAGES = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 12, 20).contiguous()
TARGETS = torch.eye(6)
ALWAYS_DRAWN = [0.983333, 1.0, 1.0, 0.65, 0.65, 0.966667]


def mixed(seed, probability=1.0, alpha=1.0, progress=0.0, **variant):
    return CutMix(alpha, probability, **variant).batch(IMAGES, TARGETS, rng(seed), progress)


def test_the_label_weight_is_the_area_that_was_not_pasted_and_pixels_are_the_partners():
    edges = set()
    for seed in range(300):
        images, targets = mixed(seed)
        for i in range(len(images)):
            own = images[i] == i
            kept = own.float().mean().item()
            partner = int(images[i][~own][0]) if not own.all() else i
            expected = TARGETS[i] * kept + TARGETS[partner] * (1 - kept)
            assert torch.allclose(targets[i], expected, atol=1e-6)
            assert set(images[i].unique().tolist()) <= {float(i), float(partner)}
            pasted = (~own[0]).nonzero()
            if len(pasted):
                (top, left), (bottom, right) = pasted.min(0).values.tolist(), pasted.max(0).values.tolist()
                assert len(pasted) == (bottom - top + 1) * (right - left + 1)
                touched = {"top": top == 0, "left": left == 0, "bottom": bottom == 11, "right": right == 19}
                edges |= {edge for edge, touches in touched.items() if touches}
    assert edges == {"top", "left", "bottom", "right"}, "boxes were clipped at every edge"


def test_box_sides_follow_from_lambda_and_the_centre_is_uniform():
    boxes = np.array([box(100, 200, 0.75, rng(seed)) for seed in range(4000)])  # half of each side
    for begin, end, side, length in ((0, 1, 100, 50), (2, 3, 200, 100)):
        low, high = boxes[:, begin], boxes[:, end]
        assert low.min() == 0
        assert high.max() == side
        clipped = (low == 0) | (high == side)
        assert set(high[~clipped] - low[~clipped]) == {length}
        # Where a box is not clipped its centre is known; each such pixel is equally likely.
        centres = (low + length // 2)[~clipped]
        assert abs(clipped.mean() - length / side) < 0.03
        counts = np.histogram(centres, bins=7, range=(length / 2, side - length / 2))[0] / len(centres)
        assert np.abs(counts - 1 / 7).max() < 0.03


def test_lambda_is_uniform():
    weights = np.array([_weight(seed) for seed in range(3000)])
    assert np.abs(np.histogram(weights, bins=10, range=(0, 1))[0] / 3000 - 0.1).max() < 0.02


def _weight(seed):
    class Spy:
        def __init__(self, inner):
            self.inner, self.drawn = inner, None

        def beta(self, a, b):
            self.drawn = self.inner.beta(a, b)
            return self.drawn

        def __getattr__(self, name):
            return getattr(self.inner, name)

    spy = Spy(rng(seed))
    CutMix(1.0, 1.0).batch(IMAGES, TARGETS, spy, 0.0)
    return spy.drawn


def test_probability_0_is_the_identity_and_a_half_is_half():
    images, targets = mixed(1, probability=0.0)
    assert images is IMAGES
    assert targets is TARGETS
    acted = sum(mixed(seed, probability=0.5)[0] is not IMAGES for seed in range(400))
    assert 160 < acted < 240


def test_alpha_changes_the_mix():
    assert not torch.equal(mixed(3, alpha=0.2)[0], mixed(3, alpha=1.0)[0])


def test_the_input_is_left_alone():
    before = IMAGES.clone()
    mixed(5)
    assert torch.equal(IMAGES, before)


def test_without_the_ablations_parameters_it_draws_what_it_always_drew():
    """The weights of earlier versions: on them the bits of finished trainings depend."""
    weights = [mixed((0, i), probability=0.8)[1].max(1).values[0].item() for i in range(6)]
    assert weights == pytest.approx(ALWAYS_DRAWN, abs=1e-6)


def test_center_gaussian_boxes_lie_around_the_middle():
    boxes = np.array([box(100, 200, 0.99, rng(seed), "gaussian") for seed in range(3000)])
    for begin, end, side in ((0, 1, 100), (2, 3, 200)):
        low, high = boxes[:, begin], boxes[:, end]
        inside = (low > 0) & (high < side)
        centre = ((low + high) / 2)[inside]
        assert inside.mean() > 0.9
        assert abs(centre.mean() - side / 2) < 0.02 * side
        assert abs(centre.std() - 0.208 * side) < 0.01 * side, "of a standard deviation of 0.25, up to the edges"


def test_fixed_size_boxes_have_that_size_whatever_lambda_is():
    for side in (16, 5):
        boxes = np.array(
            [box(32, 40, weight, rng(seed), box_size=side) for seed in range(300) for weight in (0.1, 0.9)]
        )
        sizes = boxes[:, 1::2] - boxes[:, ::2]
        inner = (boxes[:, ::2] > 0).all(1) & (boxes[:, 1] < 32) & (boxes[:, 3] < 40)
        assert inner.sum() > 100
        assert (sizes[inner] == side).all()
        assert sizes.max() == side
        assert (sizes >= side // 2).all(), "at an edge a half of it is left"
    one, other = (box(32, 40, weight, rng(3), box_size=16) for weight in (0.1, 0.9))
    assert one == other, "where CutMix has its centre"


@pytest.mark.parametrize("variant", [{}, {"center": "gaussian"}, {"box_size": 4}])
def test_by_default_a_label_weighs_what_is_left_of_its_image(variant):
    for seed in range(50):
        images, targets = mixed(seed, **variant)
        kept = (images == IMAGES).float().mean((1, 2, 3))
        own = targets.diagonal()
        assert torch.allclose(own[own < 1], kept[own < 1], atol=1e-6)


@pytest.mark.parametrize("side", [0, 10])
def test_one_hot_targets_are_those_of_the_larger_part(side):
    seen = set()
    for seed in range(200):
        images, targets = mixed(seed, label="one_hot", box_size=side)
        assert torch.equal(targets.sort(1).values, torch.eye(6)[[-1]].expand(6, 6)), "one-hot"
        for i, name in enumerate(targets.argmax(1).tolist()):
            share = (images[i] == name).float().mean().item()
            assert share >= 0.5
            seen.add(name == i)
    assert seen == ({True, False} if not side else {True}), "a box of 10 x 10 of 12 x 20 is the smaller part"


def test_complete_labels_are_halves_whatever_lambda_is():
    for seed in range(50):
        targets = mixed(seed, label="complete")[1]
        assert torch.allclose(targets.sum(1), torch.ones(6))
        assert {*targets.unique().tolist()} <= {0.0, 0.5, 1.0}
        partners = torch.from_numpy(permutation(seed))
        assert torch.equal(targets.diagonal() == 1, partners == torch.arange(6)), "a partner of its own"


def permutation(seed):
    draws = rng(seed)
    draws.random()  # whether it acts
    return draws.permutation(6)


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)])
def test_the_scheduled_probability_rises_from_0_to_1(progress, expected):
    acted = [mixed(seed, progress=progress, schedule="linear")[0] is not IMAGES for seed in range(400)]
    assert abs(np.mean(acted) - expected) < (0.08 if 0 < expected < 1 else 1e-9)
    always = [mixed(seed)[1] for seed in range(400)]
    scheduled = [mixed(seed, progress=progress, schedule="linear")[1] for seed in range(400)]
    assert all(torch.equal(a, b) for a, b, acts in zip(always, scheduled, acted, strict=True) if acts), "the same draws"


def test_a_schedule_ends_at_the_probability():
    acted = [mixed(seed, probability=0.4, progress=1.0, schedule="linear")[0] is not IMAGES for seed in range(600)]
    assert abs(np.mean(acted) - 0.4) < 0.06


@pytest.mark.parametrize("variant", [{}, {"label": "one_hot"}, {"label": "complete"}, {"box_size": 7}])
def test_label_smoothing_after_it_keeps_sums_of_1(variant):
    for seed in range(10):
        smoothed = LabelSmoothing(0.1, 1.0).target(mixed(seed, **variant)[1], rng(seed))
        assert torch.allclose(smoothed.sum(1), torch.ones(6), atol=1e-6)
        assert smoothed.min().item() == pytest.approx(0.1 / 6)
