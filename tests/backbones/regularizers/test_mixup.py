"""The laws of Mixup."""

import numpy as np
import torch

from backbones.regularizers.mixup import Mixup
from workflow.core.rng import rng

PARAMETERS = {"alpha": 1.0}
IMAGES = torch.rand(8, 3, 4, 4, generator=torch.Generator().manual_seed(0))
TARGETS = torch.eye(8)


def mixed(seed, alpha=1.0, probability=1.0):
    return Mixup(alpha, probability).batch(IMAGES, TARGETS, rng(seed), 0.0)


def test_images_and_targets_are_blended_alike():
    for seed in range(50):
        images, targets = mixed(seed)
        assert torch.allclose(torch.einsum("nk,kchw->nchw", targets, IMAGES), images, atol=1e-6)
        assert torch.allclose(targets.sum(1), torch.ones(8))


def test_the_mean_over_the_batch_is_kept():
    images, targets = mixed(3)
    assert torch.allclose(images.mean(0), IMAGES.mean(0), atol=1e-6)
    assert torch.allclose(targets.mean(0), TARGETS.mean(0), atol=1e-6)


def weights(alpha, count=3000):
    found = []
    for seed in range(count):
        targets = mixed(seed, alpha)[1]
        own = targets.diagonal()
        found += [own[own < 1][0].item()] if (own < 1).any() else []
    return np.array(found)


def test_lambda_is_beta():
    uniform = weights(1.0)
    assert np.abs(np.histogram(uniform, bins=10, range=(0, 1))[0] / len(uniform) - 0.1).max() < 0.02
    # Beta(a, a) has mean 1/2 and variance 1 / (4 (2a + 1)).
    for alpha in (0.5, 4.0):
        found = weights(alpha)
        assert abs(found.mean() - 0.5) < 0.02
        assert abs(found.var() - 1 / (4 * (2 * alpha + 1))) < 0.01


def test_probability_0_is_the_identity_and_a_half_is_half():
    images, targets = mixed(1, probability=0.0)
    assert images is IMAGES
    assert targets is TARGETS
    assert 160 < sum(mixed(seed, probability=0.5)[0] is not IMAGES for seed in range(400)) < 240
