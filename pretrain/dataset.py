"""Labelled images with the augmentation of the reference code: RandomResizedCrop (on CIFAR a crop with padding), flip,
colour jitter, PCA lighting. Images stay uint8 until they are on the device."""

from typing import Any

import torch
from mmengine.registry import DATASETS
from PIL import Image
from torchvision.transforms import v2

import backbones.images  # noqa: F401 (registers open_test_images)
from backbones.regularizers import build
from workflow.core.dataset_info import DatasetInfo
from workflow.core.rng import rng
from workflow.data import labelled
from workflow.data.validation.decoding import SHRUNK, pixels, plain
from workflow.training.seeding import seed_everything

# The PCA of ImageNet's colours (Krizhevsky et al., 2012; figures of fb.resnet.torch), pixels in [0, 1].
EIGENVALUES = torch.tensor([0.2175, 0.0188, 0.0045])
EIGENVECTORS = torch.tensor([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])


class Crop(v2.RandomResizedCrop):
    """torchvision's, of an opened file: the box is drawn from its header, so only as fine as the box needs is decoded.

    Of a photo decoded at 1/n the box is rounded to n pixels; it is never enlarged, unless it was smaller than the crop.
    """

    def forward(self, image: Image.Image) -> torch.Tensor:
        """To uint8 (3, size, size)."""
        box = self.make_params([image])
        least = min(box["height"], box["width"])
        shrink = max(n for n in SHRUNK if n == 1 or (plain(image) and n * max(self.size) <= least))
        box = {side: value // shrink for side, value in box.items()}
        photo = torch.from_numpy(pixels(image, shrink)).permute(2, 0, 1)
        return v2.functional.resized_crop(photo, **box, size=self.size, antialias=True)


class PaddedCrop(torch.nn.Module):
    """A crop anywhere on an opened file with a black border, as CIFAR is trained on. A file smaller than the crop lies
    anywhere in it.

    Args:
        size: side of the crop, px.
        padding: width of the border, px.
    """

    def __init__(self, size: int, padding: int) -> None:
        super().__init__()
        self.size, self.padding = size, padding

    def forward(self, image: Image.Image) -> torch.Tensor:
        """To uint8 (3, size, size)."""
        photo = torch.from_numpy(pixels(image)).permute(2, 0, 1)
        crop = torch.zeros(3, self.size, self.size, dtype=torch.uint8)
        (rows, top), (columns, left) = (self.overlap(side) for side in photo.shape[1:])
        crop[:, rows, columns] = photo[:, top, left]
        return crop

    def overlap(self, side: int) -> tuple[slice, slice]:
        """Where an image of `side` px is in the crop, and which part of it, along one side. The crop begins anywhere
        from the edge of one border to where it ends with the other one."""
        low, high = sorted((-self.padding, side + self.padding - self.size))
        start = int(torch.randint(low, high + 1, ()))
        first, last = max(start, 0), min(start + self.size, side)
        return slice(first - start, last - start), slice(first, last)


class Lighting(torch.nn.Module):
    """Shift the colour along the principal components by Gaussian amounts of standard deviation `strength`."""

    def __init__(self, strength: float) -> None:
        super().__init__()
        self.strength = strength

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 (3, H, W) to the same."""
        shift = EIGENVECTORS @ (EIGENVALUES * torch.randn(3) * self.strength) * 255
        return (image + shift.view(3, 1, 1)).round().clamp(0, 255).to(torch.uint8)


def augmentation(recipe: dict[str, Any]) -> v2.Compose:
    """The training transform of an opened file; a strength of 0 leaves its step out."""
    size, padding = recipe["crop_size"], recipe["crop_padding"]
    jitter, lighting = recipe["color_jitter"], recipe["pca_lighting"]
    steps = [
        PaddedCrop(size, padding) if padding else Crop(size, scale=tuple(recipe["crop_scale"])),
        v2.RandomHorizontalFlip(),
    ]
    steps += [v2.ColorJitter(jitter, jitter, jitter)] if jitter else []
    steps += [Lighting(lighting)] if lighting else []
    return v2.Compose(steps)


class TrainImages:
    """Training images by (index, epoch): {"images": uint8 (3, size, size), "labels": int}.

    Crop, flip and colours are drawn from (seed, epoch, index), each image regularizer from a generator of its own.
    """

    def __init__(self, source: labelled.ImageSource, recipe: dict[str, Any], seed: int) -> None:
        self.source = source
        self.transform = augmentation(recipe)
        self.regularizers = build(recipe["regularizers"], recipe["mean"])
        self.seed = seed

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        index, epoch = key
        seed_everything(self.seed, "sample", epoch, index)
        with self.source.open(index) as photo:
            image = self.transform(photo)
        for regularizer in self.regularizers:
            image = regularizer.image(image, rng(self.seed, regularizer.name, epoch, index))
        return {"images": image, "labels": int(self.source.targets[index])}

    def name(self, index: int) -> str:
        """Where a sample is from."""
        return f"{self.source.root}/{self.source.name(index)}"


@DATASETS.register_module()
def open_train_images(check: DatasetInfo, recipe: dict[str, Any], seed: int) -> TrainImages:
    """The training images of a checked set."""
    return TrainImages(labelled.open_train(check), recipe, seed)
