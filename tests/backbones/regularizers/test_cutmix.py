"""The laws of CutMix (paper, section 3.1)."""

import numpy as np
import torch

from backbones.regularizers.cutmix import CutMix, box
from workflow.core.rng import rng

PARAMETERS = {"alpha": 1.0}
IMAGES = torch.arange(6.0).view(6, 1, 1, 1).expand(6, 3, 12, 20).contiguous()
TARGETS = torch.eye(6)


def mixed(seed, probability=1.0, alpha=1.0):
    return CutMix(alpha, probability).batch(IMAGES, TARGETS, rng(seed))


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
    CutMix(1.0, 1.0).batch(IMAGES, TARGETS, spy)
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
