"""Feature CutMix: CutMix at the features behind one layer (Yun et al., ICCV 2019, section 4.1, "Feature CutMix").

The layer is drawn for each batch "as Manifold Mixup does"; the paper does not say which layers there are to draw from.
"""

import numpy as np
import torch

from backbones.regularizers.base import FeatureTransforms, register
from backbones.regularizers.cutmix import pasting
from backbones.regularizers.manifold_mixup import ManifoldMixup, sample_layer
from workflow.contracts import Network


@register("feature_cutmix", {"alpha": "positive", "layers": "layers"}, mixes=True)
class FeatureCutMix(ManifoldMixup):
    """CutMix of the features behind one layer, drawn anew for each batch; at the layer `input` it is CutMix itself.

    The box is CutMix's, rounded to the cells of that layer; the target is weighted by the cells that really were not
    pasted. Of several processes each has its share of the batch: layer and box are the same in all, partners are of the
    same share.

    Args:
        alpha: λ ~ Beta(alpha, alpha).
        layers: layers to draw from: `input`, and stages of the network (their output), with equal probability.
        probability: probability of mixing a batch.
    """

    def feature_transforms(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float, network: Network
    ) -> tuple[FeatureTransforms, torch.Tensor]:
        """See the class."""
        if not self.applies(rng):
            return {}, targets
        module = sample_layer(self.layers, rng)
        stride = {stage.name: stage.stride for stage in network.stages}.get(module, 1)  # 1 at the input
        paste, blend = pasting(self.alpha, images, rng, stride)
        return {module: paste}, blend(targets)
