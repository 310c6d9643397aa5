"""The regularizers: one file, one registered name each. Importing this package registers them all.

A regularizer acts at one of four places and overrides that one method: `image` (one training image), `batch` (images
and targets of one batch), `feature_transforms` (outputs of the network's modules), `target` (the class probabilities).
Its draws come from a generator of its own, keyed by (seed, name, epoch, index) or (seed, name, iteration): so no
regularizer moves another's draws, and a resumed run draws what an undisturbed one does.
"""

import importlib
import pkgutil
from collections.abc import Sequence
from typing import Any

from torch import nn

from backbones.backbone import IMAGENET
from backbones.regularizers.base import REGULARIZERS, Regularizer, mean_color

for _module in pkgutil.iter_modules(__path__):
    importlib.import_module(f"{__name__}.{_module.name}")


def build(
    config: dict[str, dict[str, Any]], mean: Sequence[float] = IMAGENET.mean, network: nn.Module | None = None
) -> list[Regularizer]:
    """The regularizers of a backbone, by name: the order in which a config lists them means nothing, as in its hash.

    Args:
        config: name to parameters.
        mean: colour that is zero after normalisation, for those that fill parts of an image.
        network: in which they act; none where images are all that is changed.
    """
    found = [REGULARIZERS[name](**config[name]) for name in sorted(config)]
    for each in found:
        each.fill = mean_color(mean)
        if network is not None:
            each.network = network
    return found


__all__ = ["REGULARIZERS", "Regularizer", "build"]
