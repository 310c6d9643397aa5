"""The laws of label smoothing."""

import torch
from torch.nn import functional

from backbones.regularizers.label_smoothing import LabelSmoothing
from backbones.regularizers.mixup import Mixup
from workflow.core.rng import rng

PARAMETERS = {"smoothing": 0.1}


def test_it_is_torchs():
    logits = torch.randn(5, 7, generator=torch.Generator().manual_seed(1))
    targets = torch.rand(5, 7).softmax(dim=1)
    ours = functional.cross_entropy(logits, LabelSmoothing(0.2, 1.0).target(targets, rng(0)))
    assert torch.allclose(ours, functional.cross_entropy(logits, targets, label_smoothing=0.2))


def test_the_share_goes_to_all_classes_alike():
    smoothed = LabelSmoothing(0.1, 1.0).target(torch.eye(4), rng(0))
    assert torch.allclose(smoothed, 0.9 * torch.eye(4) + 0.025)
    assert torch.allclose(smoothed.sum(dim=1), torch.ones(4))


def test_it_stacks_with_mixing():
    images, targets = torch.rand(4, 3, 2, 2), torch.eye(4)
    smoothing, mixup = LabelSmoothing(0.1, 1.0), Mixup(1.0, 1.0)
    after = smoothing.target(mixup.batch(images, targets, rng(1), 0.0)[1], rng(2))
    before = mixup.batch(images, smoothing.target(targets, rng(2)), rng(1), 0.0)[1]
    assert torch.allclose(after, before)
