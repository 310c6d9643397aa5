"""Stochastic Depth: "Deep Networks with Stochastic Depth", Huang et al., ECCV 2016; drop rate 0.25 in the CutMix paper.

As in torchvision's operation, what is kept is divided by its keep rate in training, where the authors multiply by it in
the test: the expectation is the same, and the published weights are those of the plain network. A dropped block is
still computed, so its batch norm sees the batch, which the authors' does not.
"""

import functools

import numpy as np
import torch

from backbones.regularizers.base import FeatureTransforms, Regularizer, register
from workflow.contracts import Network


@register("stochastic_depth", {"drop_prob": "fraction"}, residual=True)
class StochasticDepth(Regularizer):
    """Drop the residual branch of whole blocks, for the whole batch at once, whatever the number of processes.

    The rate rises linearly over depth (section 3, "linear decay" of the survival probability): block l of L is dropped
    at l/L × `drop_prob`. Where a block has several branches (attention and MLP of a transformer), each is dropped by
    itself.

    Args:
        drop_prob: probability of dropping the last block (CutMix paper: 0.25).
        probability: probability of applying it to a batch.
    """

    def __init__(self, drop_prob: float, probability: float) -> None:
        super().__init__(probability)
        self.drop_prob = drop_prob

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return {}, targets
        rates = branch_rates(network, self.drop_prob)
        return {name: functools.partial(dropped, rate=rate, rng=rng) for name, rate in rates.items()}, targets


def branch_rates(network: Network, last: float) -> dict[str, float]:
    """The rate of each residual branch: it rises linearly over the blocks, to `last` at the last one."""
    blocks = network.blocks
    depths = {branch: depth for depth, block in enumerate(blocks, start=1) for branch in block.branches}
    return {branch: last * depth / len(blocks) for branch, depth in depths.items()}


def dropped(branch: torch.Tensor, rate: float, rng: np.random.Generator) -> torch.Tensor:
    """The branch times 0, or times 1 / (1 − rate): a number, not a tensor, which would be rounded to bf16."""
    return branch * (1 / (1 - rate) if rng.random() >= rate else 0.0)
