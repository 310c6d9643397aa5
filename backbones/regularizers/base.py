"""What a regularizer is: a name, its parameters, and the four places at which it may act."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info
from torch import nn
from torch.autograd.function import FunctionCtx

from backbones.backbone import IMAGENET
from workflow.contracts import Network
from workflow.training.device_copies import upload

REGULARIZERS: dict[str, type["Regularizer"]] = {}
FeatureTransforms = dict[str, Callable[[torch.Tensor], torch.Tensor]]


def mean_color(mean: Sequence[float]) -> list[int]:
    """R, G and B as pixels have them of a colour: the mean is zero after normalisation, up to this rounding (below 0.01
    standard deviations)."""
    return [round(value) for value in mean]


class Regularizer:
    """Does nothing at any place; a regularizer overrides the one at which it acts.

    Every regularizer has a `probability`: how often it acts (per image, or per batch). `fill` is the mean colour.
    """

    name: str
    mixes: bool
    fill: Sequence[int] = mean_color(IMAGENET.mean)
    network: nn.Module  # in which it acts, if it was built for one

    def __init__(self, probability: float) -> None:
        self.probability = probability

    def applies(self, rng: np.random.Generator, share: float = 1.0) -> bool:
        """The first draw of every call, so that the draws after it do not depend on the probability; a regularizer may
        act with a share of it only."""
        return rng.random() < self.probability * share

    def image(self, image: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """One training image, uint8 (3, H, W), after crop, flip and colours."""
        return image

    def batch(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """One batch on the device: normalised images (N, 3, H, W) and class probabilities (N, classes). `progress` is
        the share of the training that is done, 0 to 1."""
        return images, targets

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """What changes the output of which modules in this iteration, and the targets.

        The modules are named as `network` declares them (stages, and in each the branches and outputs of its blocks);
        `""` stands for the images. What stages give is changed as maps (N, C, H, W), whatever their layout.
        """
        return {}, targets

    def target(self, targets: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
        """The class probabilities (N, classes) of a batch, after all else."""
        return targets


def register(
    name: str,
    parameters: dict[str, str | dict[str, Any]],
    mixes: bool = False,
    residual: bool = False,
    masks: bool = False,
) -> Callable[[type[Regularizer]], type[Regularizer]]:
    """Class decorator: the name in config, path and table.

    `parameters` says, for each argument of the constructor but `probability`, what the config may give: the name of a
    definition in workflow/schemas/config.schema.yaml, or a JSON schema. Those whose schema has a `default` may be left
    out; they stand behind `probability`, with the same default in the constructor. `mixes`: it pairs each image with a
    partner and blends their targets, so no other one that does so may be beside it. `residual`: it acts in residual
    blocks, so a network must have some; `masks`: on their batch-normalized convolutions and skip connections. The
    planning reads these from the source, without torch (workflow/config/regularizers.py), so they are written out here.
    ValueError if the name is taken.
    """

    def add(cls: type[Regularizer]) -> type[Regularizer]:
        if name in REGULARIZERS:
            raise ValueError(f"the regularizer {name} is registered twice")
        cls.name, cls.mixes = name, mixes
        REGULARIZERS[name] = cls
        return cls

    return add


class IndexPermutation(torch.autograd.Function):
    """`x[order]` of a permutation: backwards it is a permutation too, where torch adds up index by index."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: torch.Tensor, order: torch.Tensor) -> torch.Tensor:
        """x (N, ...), order (N,) on any device."""
        ctx.order = order
        return x[upload(order, x.device)]

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        """By the inverse."""
        return gradient[upload(ctx.order.argsort(), gradient.device)], None


def per_rank_rng(rng: np.random.Generator) -> np.random.Generator:
    """For draws of each sample, where several processes have a share of the batch each: another generator in each of
    them. All else is drawn from `rng`, and so alike for the whole batch. One process keeps `rng`."""
    rank, world = get_dist_info()
    return rng if world == 1 else np.random.Generator(rng.bit_generator.jumped(rank + 1))


@contextlib.contextmanager
def seeded(rng: np.random.Generator, device: torch.device | None = None) -> Iterator[None]:
    """Within, torch's generator of `device` (default: the CPU's) draws what follows from `rng`; after it, it goes on as
    if nothing had been drawn. A data worker must not touch CUDA: hence the care for which generator is meant."""
    cuda = device is not None and device.type == "cuda"
    with torch.random.fork_rng(devices=[device] if cuda else []):
        generator = torch.cuda.default_generators[device.index or 0] if cuda else torch.default_generator
        generator.manual_seed(int(rng.integers(2**63)))
        yield
