"""Manifold Mixup: "Better Representations by Interpolating Hidden States", Verma et al., ICML 2019.

The CutMix paper reports alpha 1.0 and does not say which layers; config/paper.yaml has those of Verma et al.'s code.
"""

import numpy as np
import torch

from backbones.regularizers.base import FeatureTransforms, Regularizer, register
from backbones.regularizers.mixup import blending
from workflow.contracts import Network


def sample_layer(layers: list[str], rng: np.random.Generator) -> str:
    """The module of one of `layers` ("" for `input`), from a stream beside that of `rng`.

    What `rng` draws next is so what it would have drawn: Manifold Mixup at the input is Mixup, and Feature CutMix there
    is CutMix, draw by draw.
    """
    layer = layers[np.random.Generator(rng.bit_generator.jumped()).integers(len(layers))]
    return "" if layer == "input" else layer


@register("manifold_mixup", {"alpha": "positive", "layers": "layers"}, mixes=True)
class ManifoldMixup(Regularizer):
    """Mixup of the features behind one layer, drawn anew for each batch; at the layer `input` it is Mixup itself.

    Of several processes each has its share of the batch: layer and λ are the same in all, partners of the same share.

    Args:
        alpha: λ ~ Beta(alpha, alpha).
        layers: layers to draw from: `input`, and stages of the network (their output), with equal probability.
        probability: probability of mixing a batch.
    """

    def __init__(self, alpha: float, layers: list[str], probability: float) -> None:
        super().__init__(probability)
        self.alpha, self.layers = alpha, layers

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return {}, targets
        module = sample_layer(self.layers, rng)
        blend = blending(self.alpha, len(images), rng)
        return {module: blend}, blend(targets)
