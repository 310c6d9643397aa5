"""From the declaration of a network to its torch module."""

import functools
import importlib

import torch
from torch import nn

from workflow import registry
from workflow.contracts import Network

IMAGENET_CLASSES = 1000


def build(network: Network, classes: int, zero_init_residual: bool = False) -> nn.Module:
    """A network with random weights, drawn from torch's generator.

    Args:
        network: its declaration.
        classes: number of outputs.
        zero_init_residual: start each residual branch at zero.
    """
    module, _, function = network.constructor.partition(":")
    return getattr(importlib.import_module(module), function)(network.name, classes, zero_init_residual)


def set_map_stride(module: nn.Module, network: Network, stride: int) -> None:
    """Let the last map have another stride with the same weights, in place: what has a stride in the last stages loses
    it.

    Args:
        module: the torch module of `network`.
        network: its declaration.
        stride: one of its `map_strides`.
    """
    for stage in network.stages[len(network.stages) - network.map_strides.index(stride) :]:
        for name in stage.strided:
            strided = module.get_submodule(name)
            strided.stride = (1,) * len(strided.stride)


@functools.cache
def parameters(network: Network, classes: int) -> int:
    """The number of weights that are trained, with a classifier of so many classes."""
    with torch.device("meta"):
        return sum(weight.numel() for weight in build(network, classes).parameters())


def published_parameters(name: str, dataset: str) -> int:
    """Those of a network as it is published: with a classifier of the classes of the whole data set (its layout)."""
    return parameters(registry.network(name), registry.datasets()[dataset].classes)


def encoder(network: Network) -> nn.Module:
    """A network without its classifier: images (N, 3, H, W) to features (N, network.features)."""
    module = build(network, IMAGENET_CLASSES)
    above, _, last = network.classifier.rpartition(".")
    setattr(module.get_submodule(above), last, nn.Identity())
    return module
