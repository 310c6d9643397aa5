"""Logistic regression: at its minimum the gradient is zero, separable classes are separated, scales mean nothing."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from classification.logistic import fit, standardized


def clouds(seed, images, classes=3, width=8, distance=8.0):
    """Features (N, F) and labels (N,) of classes that lie apart."""
    draw = np.random.default_rng(seed)
    centres = np.random.default_rng(9).normal(size=(classes, width)) * distance
    labels = draw.integers(0, classes, images)
    return (centres[labels] + draw.normal(size=(images, width))).astype(np.float16), labels


def test_separable_classes_are_separated():
    (train, labels), (test, truth) = clouds(0, 60), clouds(1, 30)
    for found, expected in zip(standardized(train, test), (labels, truth), strict=True):
        assert (fit(standardized(train)[0], labels, 3, 1e-3).predict(found) == expected).all()


@pytest.mark.parametrize("l2", [1e-3, 0.1, 10.0])
def test_it_ends_at_the_minimum(l2):
    """Which is unique: the loss is convex, and its derivatives are zero there."""
    train, labels = clouds(2, 80, distance=0.3)
    (features,) = standardized(train)
    found = fit(features, labels, 3, l2)
    weight, bias = (each.double().requires_grad_() for each in (found.weight, found.bias))
    logits = functional.linear(features.double(), weight, bias)
    loss = functional.cross_entropy(logits, torch.from_numpy(labels)) + l2 / 2 * weight.square().sum()
    loss.backward()
    assert max(weight.grad.abs().max(), bias.grad.abs().max()) < 2e-4


def test_a_strong_regularization_leaves_the_shares_of_the_classes():
    train, labels = clouds(3, 90)
    found = fit(standardized(train)[0], labels, 3, 1e4)
    torch.testing.assert_close(found.bias.softmax(0).numpy(), np.bincount(labels) / 90, atol=1e-2, rtol=0,
                               check_dtype=False)  # fmt: skip


def test_scales_and_shifts_of_single_features_mean_nothing():
    train, labels = clouds(4, 60, distance=0.5)
    moved = train * 2.0 ** np.arange(8) + np.arange(8)
    one, other = (fit(standardized(each)[0], labels, 3, 0.01).weight for each in (train.astype(np.float64), moved))
    torch.testing.assert_close(one, other, atol=2e-3, rtol=0)


def test_a_constant_feature_becomes_zero():
    train = np.column_stack([np.arange(6), np.full(6, 3)])
    train, test = standardized(train, np.array([[0, 3], [2.5, 99]]))
    assert train[:, 1].tolist() == [0] * 6
    assert test[1].tolist() == [0, 0]
