"""Brightness, contrast, saturation and PCA lighting of training images: all are affine in the pixel, so together they
are one matrix for each image. It is drawn where the image is loaded, and applied there or on the device."""

import torch
from torchvision.transforms import v2

# The PCA of ImageNet's colours (Krizhevsky et al., 2012; figures of fb.resnet.torch), pixels in [0, 1].
EIGENVALUES = torch.tensor([0.2175, 0.0188, 0.0045])
EIGENVECTORS = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
LUMA = torch.tensor([0.299, 0.587, 0.114])  # ITU-R 601, as torchvision makes grey up to 0.0001


class ColorJitter:
    """Draws the colours of an image; called, it applies them too.

    Its draws and their meaning are those of torchvision's ColorJitter and of the reference code's lighting. torchvision
    clips and rounds down after each step, this clips and rounds to the nearest at the end: with the paper's strengths
    the pixels of photos are 1.7 grey levels from torchvision's in the mean (1.6 brighter, from the rounding down), 97 %
    of them within 4. The others were clipped between two steps.

    Args:
        jitter: strength of brightness, contrast and saturation.
        lighting: standard deviation of the shifts along the principal components of the colours.
    """

    def __init__(self, jitter: float, lighting: float) -> None:
        self.jitter = v2.ColorJitter(jitter, jitter, jitter) if jitter else None
        self.lighting = lighting

    def __call__(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 (3, H, W) to the same."""
        return recolored(image[None], self.draw(image)[None])[0]

    def draw(self, image: torch.Tensor) -> torch.Tensor:
        """What becomes of each pixel: float (3, 4), of R, G, B and 1.

        Args:
            image: uint8 (3, H, W); contrast is about its mean grey.
        """
        brightness, contrast, saturation = self.factors()
        mean = (LUMA @ image.flatten(1).sum(1, dtype=torch.int32).float()).item() / image[0].numel()
        colors = torch.full((3, 4), brightness * (1 - contrast) * mean)
        colors[:, :3] = brightness * contrast * (saturation * torch.eye(3) + (1 - saturation) * LUMA)
        if self.lighting:
            colors[:, 3] += EIGENVECTORS @ (EIGENVALUES * torch.randn(3) * self.lighting) * 255
        return colors

    def factors(self) -> list[float]:
        """Of brightness, contrast and saturation. torchvision draws their order too, which changes what is clipped
        between them, and nothing else."""
        drawn = self.jitter.make_params([]) if self.jitter else {}
        return [drawn.get(f"{step}_factor", 1.0) for step in ("brightness", "contrast", "saturation")]


def recolored(images: torch.Tensor, colors: torch.Tensor) -> torch.Tensor:
    """Images with new colours, rounded to the nearest: on a GPU as on a CPU, up to a level where a sum ends at a half.

    Args:
        images: uint8 (N, 3, H, W).
        colors: float (N, 3, 4), see `ColorJitter.draw`.

    Returns:
        uint8 (N, 3, H, W).
    """
    with torch.autocast(images.device.type, enabled=False):  # which would multiply in bf16
        found = torch.baddbmm(colors[:, :, 3:] + 0.5, colors[:, :, :3], images.flatten(2).float())
    return found.clamp_(0, 255).short().byte().view(images.shape)  # a CPU takes twice as long straight to bytes
