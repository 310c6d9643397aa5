"""timm's feature interface for a network whose parts follow each other."""

from collections.abc import Callable, Sequence

import torch
from torch import nn


class FeatureMaps(nn.Module):
    """A network gives its `parts`, whose outputs are its maps (N, C, H, W), and `forward_head`."""

    def parts(self) -> Sequence[Callable[[torch.Tensor], torch.Tensor]]:
        """From images to the maps of the last stage; a map's place is its index."""
        raise NotImplementedError

    def forward_head(self, features: torch.Tensor, pre_logits: bool = False) -> torch.Tensor:
        """Maps of the last part to logits (N, classes), or to what the classifier gets (N, features)."""
        raise NotImplementedError

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) to the maps of the last part."""
        for part in self.parts():
            images = part(images)
        return images

    def forward_intermediates(
        self,
        images: torch.Tensor,
        indices: Sequence[int],
        intermediates_only: bool = True,
        stop_early: bool = True,
        output_fmt: str = "NCHW",
    ) -> list[torch.Tensor]:
        """The maps of the parts `indices`, in the order of the parts.

        Args:
            images: (N, 3, H, W).
            indices: of the parts, from 0.
            intermediates_only, stop_early, output_fmt: timm's; there is one value of each here.
        """
        found = []
        for index, part in enumerate(self.parts()[: max(indices) + 1]):
            images = part(images)
            if index in indices:
                found.append(images)
        return found

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Images (N, 3, H, W) to logits (N, classes)."""
        return self.forward_head(self.forward_features(images))
