"""The loss of a classifier in training, with the regularizers of batch, network and target at their places."""

import contextlib
from collections.abc import Callable, Iterator, Sequence

import torch
from mmengine.logging import MessageHub
from torch import nn
from torch.nn import functional

from backbones.regularizers.base import FeatureTransforms, Regularizer
from workflow.contracts import Network
from workflow.core.rng import rng


def regularized_loss(
    network: nn.Module,
    declared: Network,
    regularizers: Sequence[Regularizer],
    seed: int,
    images: torch.Tensor,
    targets: torch.Tensor,
) -> torch.Tensor:
    """Cross-entropy against class probabilities.

    Args:
        network: from images to logits.
        declared: its declaration.
        regularizers: all of a row; those that act on an image have acted.
        seed: of their draws.
        images: (N, 3, H, W), as the network expects them.
        targets: class probabilities (N, classes).
    """
    hub = MessageHub.get_current_instance()
    iteration, progress = hub.get_info("iter"), hub.get_info("progress")
    drawing = [(each, rng(seed, each.name, iteration)) for each in regularizers]
    changes = []
    for regularizer, draws in drawing:
        images, targets = regularizer.batch(images, targets, draws, progress)
    for regularizer, draws in drawing:
        inside, targets = regularizer.feature_transforms(images, targets, draws, progress, declared)
        changes.append(inside)
    for regularizer, draws in drawing:
        targets = regularizer.target(targets, draws)
    with changed(network, changes, declared):
        return functional.cross_entropy(network(images).float(), targets)


def channels_first(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[torch.Tensor], torch.Tensor]:
    """A change of maps (N, C, H, W) as one of cells (N, H, W, C)."""
    return lambda cells: change(cells.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)


@contextlib.contextmanager
def changed(network: nn.Module, changes: list[FeatureTransforms], declared: Network) -> Iterator[None]:
    """Within, the outputs of the named modules are what `changes` make of them; `""` stands for the network's input."""
    handles, stages = [], {stage.name for stage in declared.stages if declared.layout == "NHWC"}
    for name, change in (item for each in changes for item in each.items()):
        if name:
            change = channels_first(change) if name in stages else change
            hook = network.get_submodule(name).register_forward_hook
            handles.append(hook(lambda module, inputs, output, change=change: change(output)))
        else:
            handles.append(network.register_forward_pre_hook(lambda module, inputs, change=change: change(inputs[0])))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
