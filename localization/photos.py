"""The photos of a set with their true boxes: which of them thresholds are chosen on, and which are tested."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torchvision.transforms import v2

from backbones.images import decode
from backbones.regularizers import build
from localization.boxes import to_map
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.data import boxed_images, cub, imagenet, imagenet_boxes, labelled
from workflow.data.boxed_images import BoxedImage
from workflow.data.validation.decoding import open_image, pixels
from workflow.training.seeding import seed_everything

SIXTH = 6  # of CUB's 30 training images a class five are held out, as CUBV2 has five


@dataclass(frozen=True)
class Photos:
    """The test images of a set, and those that thresholds are chosen on.

    Args:
        held_out: the latter.
        test: the former.
        chosen_on: what the held-out ones are, in words.
        root: folder of the set.
        folder: of the test images below it, where their names begin.
    """

    held_out: list[BoxedImage]
    test: list[BoxedImage]
    chosen_on: str
    root: Path
    folder: str

    @property
    def all(self) -> list[BoxedImage]:
        """The held-out images, then those of the test."""
        return self.held_out + self.test

    @property
    def names(self) -> list[str]:
        """Of the test images."""
        return [str(Path(image.path).relative_to(self.root / self.folder)) for image in self.test]


def photos(check: DatasetInfo, section: Mapping[str, Any]) -> Photos:
    """The photos of a checked set.

    Args:
        check: of the set.
        section: of the config.

    Raises:
        UserError: if the set has no boxes.
    """
    root = Path(check.root)
    if check.set == "cub":
        test, held_out, folder = cub.samples(root, "test"), every_nth(cub.samples(root, "train"), SIXTH), "images"
        chosen_on = f"{len(held_out)} training images, each sixth of a class"
    else:
        boxes = imagenet_boxes.boxes_folder(section, root)
        if boxes is None:
            raise UserError(f"{root}: the set has no boxes of val")
        images = imagenet_boxes.read(imagenet.samples(root, "val"), check.classes, boxes)
        chosen, folder = set(every_nth(images, 2)), "val"
        test, held_out = [image for image in images if image not in chosen], [*filter(chosen.__contains__, images)]
        chosen_on = f"{len(held_out)} of {len(images)} validation images, each second of a class; the others are tested"
    if "held_out" in section:
        test = test if check.set == "cub" else images
        held_out = boxed_images.held_out(section["held_out"])
        chosen_on = f"{len(held_out)} held-out images of a set of their own"
    return Photos(held_out, test, chosen_on, root, folder)


def every_nth(images: list[BoxedImage], step: int) -> list[BoxedImage]:
    """Of each class its first image, and each `step`-th after it."""
    seen: dict[int, int] = {}
    chosen = []
    for image in images:
        place = seen[image.label] = seen.get(image.label, -1) + 1
        chosen += [image] if place % step == 0 else []
    return chosen


def truth(image: BoxedImage, resize: int, crop: int) -> np.ndarray:
    """The true boxes of a photo on its map, (K, 4)."""
    with open_image(image.path) as photo:
        width, height = photo.size
    return to_map(np.array(image.boxes), width, height, resize, crop)


@DATASETS.register_module()
class TestPhotos(torch.utils.data.Dataset):
    """Photos of any shape, scaled to a square, its centre: {"images": uint8 (3, crop, crop), "labels", "image": place}.

    Args:
        images: (path, label) of each.
        resize: side of the square, px.
        crop: side of the crop, px.
    """

    __test__ = False  # for pytest

    def __init__(self, images: list[tuple[str, int]], resize: int, crop: int) -> None:
        self.images = images
        self.transform = v2.Compose([v2.Resize((resize, resize), antialias=True), v2.CenterCrop(crop)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> dict[str, Any]:
        path, label = self.images[index]
        return {"images": self.transform(decode(path)), "labels": np.int64(label), "image": np.int64(index)}


@DATASETS.register_module()
class TrainPhotos(torch.utils.data.Dataset):
    """Training images by (index, epoch), scaled to a square, a random crop and flip: {"images": uint8 (3, crop, crop),
    "labels", "image"}. Crop and flip are drawn from (seed, epoch, index), each image regularizer from its generator.

    Args:
        check: of the set.
        resize, crop: as in TestPhotos.
        regularizers: of the config; those that act on an image are applied here.
        mean: the backbone's, of R, G and B: the colour that regularizers fill with.
        seed: of the draws.
    """

    def __init__(
        self,
        check: DatasetInfo,
        resize: int,
        crop: int,
        regularizers: dict[str, Any],
        mean: Sequence[float],
        seed: int,
    ) -> None:
        self.images = labelled.open_train(check)
        steps = [v2.Resize((resize, resize), antialias=True), v2.RandomCrop(crop), v2.RandomHorizontalFlip()]
        self.transform, self.regularizers, self.seed = v2.Compose(steps), build(regularizers, mean), seed

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        index, epoch = key
        seed_everything(self.seed, "sample", epoch, index)
        with self.images.open(index) as photo:
            image = self.transform(torch.from_numpy(pixels(photo)).permute(2, 0, 1))
        for regularizer in self.regularizers:
            image = regularizer.image(image, rng(self.seed, regularizer.name, epoch, index))
        return {"images": image, "labels": np.int64(self.images.targets[index]), "image": np.int64(index)}

    def name(self, index: int) -> str:
        """The file of a sample."""
        return f"{self.images.root}/{self.images.name(index)}"
