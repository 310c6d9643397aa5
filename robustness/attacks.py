"""Adversarial attacks on a classifier, white box, untargeted, bounded in the maximum norm.

FGSM (Goodfellow et al., ICLR 2015): a step of eps along the sign of the loss's gradient. PGD (Madry et al., ICLR 2018):
steps from a random start, each projected back. Both in pixel units before normalisation: a pixel of 0 to 255 moves by
eps at most and stays within 0 to 255, which is eps/255 of [0, 1] without its rounding: an eps of 0 is the image itself.
"""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch.nn import functional

from workflow.core.rng import rng

Classifier = Callable[[torch.Tensor], torch.Tensor]  # pixels (N, 3, H, W) to logits (N, classes)


def input_gradient(classifier: Classifier, pixels: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """The gradient of each image's cross-entropy with respect to its pixels.

    Args:
        classifier: evaluated in fp32, whatever autocast surrounds it.
        pixels: (N, 3, H, W) float32 of 0 to 255.
        labels: the true output of each image, (N,).

    Returns:
        (N, 3, H, W). It is exactly 0 where the softmax is saturated, and then no attack moves the pixel.
    """
    with torch.enable_grad(), torch.autocast(pixels.device.type, enabled=False):
        pixels = pixels.detach().requires_grad_()
        loss = functional.cross_entropy(classifier(pixels), labels, reduction="sum")
        (gradient,) = torch.autograd.grad(loss, pixels)
    return gradient


def zero_share(gradient: torch.Tensor) -> torch.Tensor:
    """The share of exactly zero entries of each image's gradient, in percent: (N,)."""
    return 100 * (gradient == 0).flatten(1).float().mean(dim=1)


def fgsm(pixels: torch.Tensor, gradient: torch.Tensor, eps: float) -> torch.Tensor:
    """One step of `eps` (of 255) along the sign of the gradient, clipped to 0 to 255."""
    return (pixels + eps * gradient.sign()).clamp_(0, 255)


def random_start(images: Sequence[int], shape: Sequence[int], eps: float) -> torch.Tensor:
    """Uniform noise within `eps` for each image: it follows from the image's place in its set only, so that it depends
    on no batch, and is the same for every network.

    Args:
        images: places of the images, (N,).
        shape: of an image, (3, H, W).
        eps: bound of the noise, of 255.

    Returns:
        (N, 3, H, W) float32.
    """
    noise = [rng("pgd", int(image)).random(tuple(shape), dtype=np.float32) for image in images]
    return (2 * torch.from_numpy(np.stack(noise)) - 1) * eps


def pgd(
    classifier: Classifier,
    pixels: torch.Tensor,
    labels: torch.Tensor,
    start: torch.Tensor,
    eps: float,
    step_size: float,
    steps: int,
) -> torch.Tensor:
    """Projected gradient descent: `steps` of `step_size`, each kept within `eps` of the image and within 0 to 255.

    Args:
        classifier, pixels, labels: as of `input_gradient`.
        start: noise that is added first, (N, 3, H, W).
        eps, step_size: of 255.
        steps: their number.

    Returns:
        (N, 3, H, W).
    """
    low, high = (pixels - eps).clamp_(min=0), (pixels + eps).clamp_(max=255)
    found = (pixels + start).clamp(low, high)
    for _ in range(steps):
        found = (found + step_size * input_gradient(classifier, found, labels).sign()).clamp(low, high)
    return found
