"""Manifold Mixup: "Better Representations by Interpolating Hidden States", Verma et al., ICML 2019.

The CutMix paper reports alpha 1.0 and does not say which layers; config/paper.yaml has those of Verma et al.'s code.
"""

import numpy as np
import torch

from pretrain.regularizers.base import Changes, Regularizer, register
from pretrain.regularizers.mixup import blending

INPUT = "input"


def drawn(layers: list[str], rng: np.random.Generator) -> str:
    """One of `layers`, from a stream beside that of `rng`: so what `rng` draws next is what it would have drawn, and
    Manifold Mixup at the input is Mixup, and Feature CutMix there is CutMix, draw by draw."""
    return layers[np.random.Generator(rng.bit_generator.jumped()).integers(len(layers))]


@register("manifold_mixup", {"alpha": "positive", "layers": "layers"}, mixes=True)
class ManifoldMixup(Regularizer):
    """Mixup of the features behind one layer, drawn anew for each batch; at the layer `input` it is Mixup itself.

    Args:
        alpha: λ ~ Beta(alpha, alpha).
        layers: to draw from: `input`, `layer1` ... `layer4` (the output of a stage), all equally probable.
        probability: how often a batch is mixed.
    """

    def __init__(self, alpha: float, layers: list[str], probability: float) -> None:
        super().__init__(probability)
        self.alpha, self.layers = alpha, layers

    def inside(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float
    ) -> tuple[Changes, torch.Tensor]:
        """See the class."""
        if not self.acts(rng):
            return {}, targets
        layer = drawn(self.layers, rng)
        blend = blending(self.alpha, len(images), rng)
        return {"" if layer == INPUT else layer: blend}, blend(targets)
