"""Class activation maps (Zhou et al., CVPR 2016) of a network whose classifier gets the mean over the cells of its last
map: features and logits of one pass give the maps of a batch."""

import torch
from torch import nn

from workflow.contracts import Network


def features_and_logits(module: nn.Module, network: Network, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The last map of a network, float (N, C, h, w), and its logits, float (N, classes).

    Args:
        module: of `network`.
        network: its declaration.
        images: as it expects them, (N, 3, H, W).
    """
    features = module.forward_features(images)
    logits = module.forward_head(features)
    maps = features if network.pooled == "NCHW" else features.permute(0, 3, 1, 2)
    return maps.float(), logits.float()


def class_maps(features: torch.Tensor, weight: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """The map of one class for each image: its channels, each times the classifier's weight, added. The mean over its
    cells is the logit without the bias.

    Args:
        features: (N, C, h, w).
        weight: of the classifier, (classes, C).
        classes: (N,).

    Returns:
        (N, h, w).
    """
    return torch.einsum("nchw,nc->nhw", features, weight[classes].float())


def centred_gaussian(size: int) -> torch.Tensor:
    """A map that knows nothing of its image, (1, size, size): an isotropic Gaussian in the middle, whose standard
    deviation is a quarter of the side. It only relabels the thresholds: each of its boxes is a centred square."""
    distance = (torch.arange(size) - (size - 1) / 2) ** 2
    return torch.exp(-(distance[:, None] + distance[None]) / (2 * (size / 4) ** 2))[None]
