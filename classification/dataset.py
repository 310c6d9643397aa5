"""Images of a labelled set for fine-tuning: those that are trained on, with flips and rotation, and those that errors
are measured on, all by one deterministic transform."""

from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS
from torchvision.transforms import v2

from backbones.regularizers import build
from classification.embeddings import test_images
from classification.splits import Split, split
from classification.task import HELD_OUT
from workflow.core.dataset_info import DatasetInfo
from workflow.core.rng import rng
from workflow.data import labelled
from workflow.data.validation.decoding import pixels
from workflow.training.seeding import seed_everything


def split_of(check: DatasetInfo, recipe: dict[str, Any], seed: int, held_out: float = HELD_OUT) -> Split:
    """The training images of a checked set that a recipe trains on, and the held-out ones."""
    return split(np.asarray(labelled.open_train(check).targets), recipe["fraction"], seed, held_out)


def augmentation(recipe: dict[str, Any]) -> v2.Compose:
    """The training transform of an image, uint8 (3, H, W); a value of 0 leaves its step out. Corners that a rotation
    leaves empty are black."""
    angle = recipe["rotation_degrees"]
    steps = [v2.Resize(recipe["resize_size"], antialias=True), v2.RandomCrop(recipe["crop_size"])]
    flips = (("hflip_prob", v2.RandomHorizontalFlip), ("vflip_prob", v2.RandomVerticalFlip))
    steps += [flip(recipe[key]) for key, flip in flips if recipe[key]]
    steps += [v2.RandomRotation(angle, v2.InterpolationMode.BILINEAR)] if angle else []
    return v2.Compose(steps)


@DATASETS.register_module()
class FinetuneImages:
    """Training images by (index, epoch): {"images": uint8 (3, crop, crop), "labels": int, "image": index}. What is
    random follows from (seed, epoch, index), of each image regularizer from its own generator.

    Args:
        check: of the set.
        recipe: of the run.
        regularizers: of the config; those that act on an image are applied here.
        mean: colour of what they erase, RGB of 0 to 255.
        seed: of the draws.
        held_out: share of the training images that is not trained on.
    """

    def __init__(
        self,
        check: DatasetInfo,
        recipe: dict[str, Any],
        regularizers: dict[str, Any],
        mean: list[float],
        seed: int,
        held_out: float = HELD_OUT,
    ) -> None:
        self.source, self.seed = labelled.open_train(check), seed
        self.places = split_of(check, recipe, seed, held_out).fit
        self.transform, self.regularizers = augmentation(recipe), build(regularizers, mean)

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        index, epoch = key
        seed_everything(self.seed, "sample", epoch, index)
        with self.source.open(int(self.places[index])) as photo:
            image = self.transform(torch.from_numpy(pixels(photo)).permute(2, 0, 1))
        for regularizer in self.regularizers:
            image = regularizer.image(image, rng(self.seed, regularizer.name, epoch, index))
        return {"images": image, "labels": int(self.source.targets[self.places[index]]), "image": index}

    def name(self, index: int) -> str:
        """Where a sample is from."""
        return f"{self.source.root}/{self.source.name(int(self.places[index]))}"


@DATASETS.register_module()
class MeasuredImages(torch.utils.data.Dataset):
    """The test images, then the held-out ones, then those that are trained on, by one deterministic transform:
    {"images": uint8 (3, crop, crop), "labels": int, "image": place}.

    Args:
        check: of the set.
        recipe: of the run.
        seed: of the fraction that is trained on.
        held_out: as of FinetuneImages.
    """

    def __init__(self, check: DatasetInfo, recipe: dict[str, Any], seed: int, held_out: float = HELD_OUT) -> None:
        sources = labelled.open_test(check), labelled.open_train(check)
        self.test, self.train = (test_images(source, recipe) for source in sources)
        drawn = split_of(check, recipe, seed, held_out)
        self.places = np.concatenate([drawn.val, drawn.fit])

    def __len__(self) -> int:
        return len(self.test) + len(self.places)

    def __getitem__(self, place: int) -> dict[str, Any]:
        tested = len(self.test)
        sample = self.test[place] if place < tested else self.train[int(self.places[place - tested])]
        return sample | {"image": np.int64(place)}
