"""CutMix: "Regularization Strategy to Train Strong Classifiers with Localizable Features", Yun et al., ICCV 2019.

Section 3.1 and Algorithm A1, whose r_w = √(1 − λ) lacks the factor W (and r_h the H): the text of 3.1 has them.
"""

from collections.abc import Callable

import numpy as np
import torch

from backbones.regularizers.base import IndexPermutation, Regularizer, register

Map = Callable[[torch.Tensor], torch.Tensor]


SPREAD = 0.25  # of a Gaussian centre: standard deviation, as a share of the side. The paper does not state it


def box(
    height: int, width: int, weight: float, rng: np.random.Generator, center: str = "uniform", box_size: int = 0
) -> tuple[int, int, int, int]:
    """A box (top, bottom, left, right), clipped to the image.

    Args:
        height, width: of the image, px.
        weight: λ; the sides of the box are those of the image × √(1 − λ).
        rng: where its centre is drawn from.
        center: `uniform` over the image, or `gaussian` around its middle; what falls outside is on the edge.
        box_size: both sides of the box instead, px; 0: those that follow from λ.
    """
    share = np.sqrt(1 - weight)
    edges = []
    for side in (height, width):
        if center == "gaussian":
            centre = int(np.clip(rng.normal(side / 2, side * SPREAD), 0, side - 1))
        else:
            centre = int(rng.integers(side))
        length = box_size or int(side * share) // 2 * 2
        low = centre - length // 2
        edges += [max(low, 0), min(low + length, side)]
    return edges[0], edges[1], edges[2], edges[3]


def pasting(
    alpha: float,
    images: torch.Tensor,
    rng: np.random.Generator,
    cells: int = 1,
    center: str = "uniform",
    box_size: int = 0,
    label: str = "area",
) -> tuple[Map, Map]:
    """Two maps of one drawn λ ~ Beta(alpha, alpha), box and permutation of `images` (N, 3, H, W): the first pastes the
    box of each sample's partner, the second weighs targets by the area that it leaves, or as `label` says. For features
    of one cell for every `cells` pixels, the box is rounded to cells."""
    partner, (height, width) = torch.from_numpy(rng.permutation(len(images))), images.shape[-2:]
    edges = box(height, width, rng.beta(alpha, alpha), rng, center, box_size)
    rows, columns = -(-height // cells), -(-width // cells)
    top, bottom = (round(edge * rows / height) for edge in edges[:2])
    left, right = (round(edge * columns / width) for edge in edges[2:])
    kept = 1 - (bottom - top) * (right - left) / (rows * columns)
    weight = {"area": kept, "one_hot": float(kept >= 0.5), "complete": 0.5}[label]

    def paste(x: torch.Tensor) -> torch.Tensor:
        mixed = x.clone()
        mixed[..., top:bottom, left:right] = IndexPermutation.apply(x[..., top:bottom, left:right], partner)
        return mixed

    return paste, lambda targets: torch.lerp(IndexPermutation.apply(targets, partner), targets, weight)


@register(
    "cutmix",
    {
        "alpha": "positive",
        "center": {"type": "string", "enum": ["uniform", "gaussian"], "default": "uniform"},
        "box_size": {"type": "integer", "minimum": 0, "default": 0},
        "label": {"type": "string", "enum": ["area", "one_hot", "complete"], "default": "area"},
        "schedule": {"type": "string", "enum": ["constant", "linear"], "default": "constant"},
    },
    mixes=True,
)
class CutMix(Regularizer):
    """Paste one box of a partner's image; the target is weighted by the area that really was not pasted.

    Of several processes each has its share of the batch: the box is the same in all, partners are of the same share.
    The optional parameters are those of the paper's ablation (Table 8).

    Args:
        alpha: λ ~ Beta(alpha, alpha); 1.0, the paper's value, makes it uniform.
        probability: probability of mixing a batch (paper: 1.0 on ImageNet, 0.5 on CIFAR).
        center: centre of the box: `uniform` over the image (default), or `gaussian`, normal around its middle with a
            standard deviation of a quarter of the side (Center Gaussian CutMix; the paper does not state it).
        box_size: both sides of the box in pixels, whatever λ is (Fixed-size CutMix: 16); default 0, sides that follow
            from λ.
        label: weights of the two labels: `area` (default), `one_hot`, all of it to the larger part and in a tie to the
            image that is pasted on (One-hot CutMix), or `complete`, a half each (Complete-label CutMix).
        schedule: `constant` (default), or `linear`, from 0 at the beginning of the training to `probability` at its end
            (Scheduled CutMix).
    """

    def __init__(
        self,
        alpha: float,
        probability: float,
        center: str = "uniform",
        box_size: int = 0,
        label: str = "area",
        schedule: str = "constant",
    ) -> None:
        super().__init__(probability)
        self.alpha, self.schedule = alpha, schedule
        self.variant = (center, box_size, label)

    def batch(
        self, images: torch.Tensor, targets: torch.Tensor, rng: np.random.Generator, progress: float
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See the class."""
        if not self.applies(rng, progress if self.schedule == "linear" else 1.0):
            return images, targets
        paste, blend = pasting(self.alpha, images, rng, 1, *self.variant)
        return paste(images), blend(targets)
