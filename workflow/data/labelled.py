"""Images that have one class each, whatever their set: the one way in which tasks open them."""

import importlib
from contextlib import AbstractContextManager
from typing import Protocol

import numpy as np
from PIL import Image

from workflow import registry
from workflow.contracts import LabelledImages
from workflow.core.dataset_info import DatasetInfo
from workflow.data.validation.decoding import open_image


class ImageSource(Protocol):
    """The images of a part of a set, in a fixed order.

    Args:
        root: folder that they are in, for messages.
        targets: the class of each, its place in the check's `classes`, (N,) integers.
    """

    root: str
    targets: np.ndarray

    def __len__(self) -> int:
        """How many there are."""

    def name(self, index: int) -> str:
        """What the image is called in per_image.npz: its file, relative to the root, or its place."""

    def open(self, index: int) -> AbstractContextManager[Image.Image]:
        """The image; of a file, the header only is read."""


class FileImages:
    """Images in files, kept small: the paths of ImageNet's 1.3 million take 300 MB as Python objects, which a process
    that loads copies for itself as it counts references to them.

    Args:
        root: folder of the files.
        paths: (N,) relative to it, as bytes.
        targets: (N,) integers.
    """

    def __init__(self, root: str, paths: np.ndarray, targets: np.ndarray) -> None:
        self.root, self.paths, self.targets = root, paths, targets

    def __len__(self) -> int:
        return len(self.targets)

    def name(self, index: int) -> str:
        """The file, relative to the root."""
        name: bytes = self.paths[index]
        return name.decode(errors="surrogateescape")

    def open(self, index: int) -> Image.Image:
        """The file, with its header read."""
        return open_image(f"{self.root}/{self.name(index)}")


class ArrayImages:
    """Images in memory, or in a memory-mapped file.

    Args:
        pixels: uint8 (N, H, W, 3), or (N, H, W) of grey ones.
        targets: (N,) integers.
        root: folder that they are in, for messages.
    """

    def __init__(self, pixels: np.ndarray, targets: np.ndarray, root: str = "") -> None:
        self.pixels, self.targets, self.root = pixels, targets, root

    def __len__(self) -> int:
        return len(self.targets)

    def name(self, index: int) -> str:
        """Its place, which sorts as a text too."""
        return f"{index:06d}"

    def open(self, index: int) -> Image.Image:
        """The image."""
        return Image.fromarray(self.pixels[index])


def declared(check: DatasetInfo) -> LabelledImages:
    """What the set of a check declares of its labelled images.

    Raises:
        ValueError: it has none, which the config's check has refused.
    """
    found = registry.datasets()[check.set].labelled
    if not found:
        raise ValueError(f"{check.set} has no labelled images")
    return found


def open_part(check: DatasetInfo, part: str) -> ImageSource:
    """The images of a part of a checked set.

    Args:
        check: of the set.
        part: a name that the set declares, `train` or `test` of its LabelledImages.
    """
    module, _, function = declared(check).open.partition(":")
    source: ImageSource = getattr(importlib.import_module(module), function)(check.root, part)
    return source


def open_train(check: DatasetInfo) -> ImageSource:
    """The training images of a checked set."""
    return open_part(check, declared(check).train)


def open_test(check: DatasetInfo) -> ImageSource:
    """The test images of a checked set."""
    return open_part(check, declared(check).test)


def train_count(check: DatasetInfo) -> int:
    """The number of training images of a checked set."""
    return check.counts[declared(check).train]


def test_count(check: DatasetInfo) -> int:
    """The number of its test images."""
    return check.counts[declared(check).test]


def test_split(check: DatasetInfo) -> str:
    """What the part with the test images is called: `validation` on ImageNet, otherwise `test`."""
    return "validation" if declared(check).test == "val" else "test"


def count_in_words(check: DatasetInfo) -> str:
    """The number of test images as protocols have it: "50000 validation images"."""
    return f"{test_count(check)} {test_split(check)} images"
