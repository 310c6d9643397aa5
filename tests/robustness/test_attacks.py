"""Attacks against what is known of them: hand-derived gradients, bounds, and a linear model."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from robustness.attacks import fgsm, input_gradient, pgd, random_start, zero_share

EPS = (0.5, 1, 8)


def pixels(count=6, side=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 256, (count, 3, side, side), generator=generator).float()


class Linear:
    """Logits W x + b of the pixels in [0, 1]."""

    def __init__(self, classes=3, side=4):
        generator = torch.Generator().manual_seed(1)
        self.weight = torch.randn(classes, 3 * side * side, generator=generator)
        self.bias = torch.randn(classes, generator=generator)

    def __call__(self, images):
        return images.flatten(1) / 255 @ self.weight.T + self.bias


class TwoLayers:
    """V tanh(W x), whose gradient is derived by hand below."""

    def __init__(self, classes=3, side=4, hidden=5):
        generator = torch.Generator().manual_seed(2)
        self.first = torch.randn(hidden, 3 * side * side, generator=generator) / 300
        self.second = torch.randn(classes, hidden, generator=generator)

    def __call__(self, images):
        return torch.tanh(images.flatten(1) @ self.first.T) @ self.second.T

    def gradient(self, images, labels):
        """d loss / d x = Wᵀ ((1 - h²) ∘ Vᵀ (softmax - one-hot))."""
        x, truth = images.flatten(1).double().numpy(), np.eye(len(self.second))[labels]
        hidden = np.tanh(x @ self.first.double().numpy().T)
        logits = hidden @ self.second.double().numpy().T
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        above = (shares / shares.sum(axis=1, keepdims=True) - truth) @ self.second.double().numpy()
        return ((1 - hidden**2) * above @ self.first.double().numpy()).reshape(images.shape)


def test_the_gradient_is_the_hand_derived_one():
    network, images, labels = TwoLayers(), pixels(), torch.tensor([0, 1, 2, 0, 1, 2])
    expected = network.gradient(images, labels)
    found = input_gradient(network, images, labels)
    np.testing.assert_allclose(found.numpy(), expected, rtol=1e-3, atol=1e-9)
    attacked = np.clip(images.numpy() + 2 * np.sign(expected), 0, 255)
    sure = np.abs(expected) > 1e-7
    assert sure.mean() > 0.99
    assert np.array_equal(fgsm(images, found, 2).numpy()[sure], attacked[sure])


@pytest.mark.parametrize("eps", EPS)
def test_an_attacked_image_is_within_its_bound_and_a_picture(eps):
    network, images, labels = TwoLayers(), pixels(), torch.zeros(6, dtype=torch.long)
    start = random_start(range(6), images.shape[1:], eps)
    for attacked in (
        fgsm(images, input_gradient(network, images, labels), eps),
        pgd(network, images, labels, start, eps, eps / 2, 5),
    ):
        assert (attacked - images).abs().max() <= eps
        assert (attacked != images).float().mean() > 0.9
        assert 0 <= attacked.min() <= attacked.max() <= 255


def test_without_a_bound_the_image_is_unchanged():
    network, images, labels = TwoLayers(), pixels(), torch.zeros(6, dtype=torch.long)
    assert torch.equal(fgsm(images, input_gradient(network, images, labels), 0), images)
    start = random_start(range(6), images.shape[1:], 0)
    assert torch.equal(pgd(network, images, labels, start, 0, 2, 3), images)


@pytest.mark.parametrize("eps", EPS)
def test_fgsm_never_lowers_the_loss_of_a_linear_model(eps):
    network, images, labels = Linear(), pixels(200), torch.arange(200) % 3
    attacked = fgsm(images, input_gradient(network, images, labels), eps)
    before, after = (functional.cross_entropy(network(x), labels, reduction="none") for x in (images, attacked))
    assert (after >= before - 1e-5).all()


def test_of_a_linear_model_pgd_with_long_steps_finds_no_more_than_fgsm():
    """With two classes the gradient's sign is the same everywhere, so both end in one corner of the box."""
    network, images, labels = Linear(classes=2), pixels(50), torch.arange(50) % 2
    start = random_start(range(50), images.shape[1:], 4)
    stepped = pgd(network, images, labels, start, 4, 8, 2)
    assert torch.equal(stepped, fgsm(images, input_gradient(network, images, labels), 4))


def test_a_start_depends_on_its_image_only():
    whole = random_start(range(10), (3, 4, 4), 8)
    assert torch.equal(random_start([7, 2], (3, 4, 4), 8), whole[[7, 2]])
    assert not torch.equal(whole[0], whole[1])
    assert 7 < whole.max() <= 8
    assert -8 <= whole.min() < -7


def test_a_saturated_softmax_has_zero_gradients_and_is_counted():
    network, images = Linear(), pixels(40)
    labels = network(images).argmax(dim=1)
    scaled = lambda x: 1000 * network(x)  # noqa: E731
    plain, saturated = (zero_share(input_gradient(each, images, labels)) for each in (network, scaled))
    assert plain.max() == 0
    assert saturated.mean() > 50
    assert zero_share(torch.tensor([[[[0.0, 1.0], [0.0, 0.0]]]])).tolist() == [75.0]


def test_attacks_stay_in_fp32_within_autocast():
    network, images, labels = TwoLayers(), pixels(), torch.zeros(6, dtype=torch.long)
    expected = input_gradient(network, images, labels)
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        assert torch.equal(input_gradient(network, images, labels), expected)
