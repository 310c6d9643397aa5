"""Labelled images with the augmentation of the reference code: RandomResizedCrop (on CIFAR a crop with padding), flip,
colour jitter, PCA lighting. Images stay uint8 until they are on the device."""

from typing import Any

import torch
from mmengine.registry import DATASETS
from PIL import Image
from torchvision.transforms import v2

import backbones.images  # noqa: F401 (registers open_test_images)
from backbones.regularizers import Regularizer, build
from pretrain.color_jitter import ColorJitter
from workflow.core.dataset_info import DatasetInfo
from workflow.core.rng import rng
from workflow.data import labelled
from workflow.data.validation.decoding import SHRUNK, pixels, plain
from workflow.training.seeding import seed_everything


class Crop(v2.RandomResizedCrop):
    """torchvision's, of an opened file: the box is drawn from its header, so only as fine as the box needs is decoded,
    and only down to its last row.

    Of a photo decoded at 1/n the box is rounded to n pixels; it is never enlarged, unless it was smaller than the crop.
    """

    def forward(self, image: Image.Image) -> torch.Tensor:
        """To uint8 (3, size, size)."""
        box = self.make_params([image])
        least = min(box["height"], box["width"])
        shrink = max(n for n in SHRUNK if n == 1 or (plain(image) and n * max(self.size) <= least))
        photo = torch.from_numpy(pixels(image, shrink, rows=box["top"] + box["height"])).permute(2, 0, 1)
        box = {side: value // shrink for side, value in box.items()}
        return v2.functional.resized_crop_image(photo, **box, size=self.size, antialias=True)


class Flip(v2.RandomHorizontalFlip):
    """torchvision's, without a look for boxes and masks beside the image, which takes ten times as long as a flip."""

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """uint8 (3, H, W) to the same."""
        return image.flip(-1) if torch.rand(1) < self.p else image


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


def colors(recipe: dict[str, Any]) -> ColorJitter | None:
    """What changes the colours of a training image, if anything does."""
    jitter, lighting = recipe["color_jitter"], recipe["pca_lighting"]
    return ColorJitter(jitter, lighting) if jitter or lighting else None


def augmentation(recipe: dict[str, Any], with_colors: bool = True) -> v2.Compose:
    """The training transform of an opened file; a strength of 0 leaves its step out, and `with_colors=False` those of
    the colours."""
    size, padding = recipe["crop_size"], recipe["crop_padding"]
    crop = PaddedCrop(size, padding) if padding else Crop(size, scale=tuple(recipe["crop_scale"]))
    jitter = colors(recipe) if with_colors else None
    return v2.Compose([crop, Flip(), *([jitter] if jitter else [])])


class TrainImages:
    """Training images by (index, epoch): {"images": uint8 (3, size, size), "labels": int}.

    Crop, flip and colours are drawn from (seed, epoch, index), each image regularizer from a generator of its own.

    Args:
        source: the images.
        recipe: of the run.
        seed: of the draws.
        device_colors: whether the model applies the colours, which are then in the sample: "colors", float (3, 4). Not
            where an image regularizer of the row acts after them.
    """

    def __init__(
        self, source: labelled.ImageSource, recipe: dict[str, Any], seed: int, device_colors: bool = False
    ) -> None:
        self.source, self.seed = source, seed
        self.regularizers = build(recipe["regularizers"], recipe["mean"])
        late = device_colors and all(type(each).image is Regularizer.image for each in self.regularizers)
        self.transform, self.colors = augmentation(recipe, not late), colors(recipe) if late else None

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        index, epoch = key
        seed_everything(self.seed, "sample", epoch, index)
        with self.source.open(index) as photo:
            image = self.transform(photo)
        jitter = {"colors": self.colors.draw(image)} if self.colors else {}
        for regularizer in self.regularizers:
            image = regularizer.image(image, rng(self.seed, regularizer.name, epoch, index))
        return {"images": image, "labels": int(self.source.targets[index]), **jitter}

    def name(self, index: int) -> str:
        """Where a sample is from."""
        return f"{self.source.root}/{self.source.name(index)}"


@DATASETS.register_module()
def open_train_images(
    check: DatasetInfo, recipe: dict[str, Any], seed: int, device_colors: bool = False
) -> TrainImages:
    """The training images of a checked set."""
    return TrainImages(labelled.open_train(check), recipe, seed, device_colors)
