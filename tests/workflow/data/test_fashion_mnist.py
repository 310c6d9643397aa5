"""IDX files are read as torchvision reads them, compressed or not."""

import gzip
from pathlib import Path

import numpy as np
import pytest
from torchvision.datasets import FashionMNIST
from torchvision.datasets.mnist import read_image_file, read_label_file

from workflow.core.dataset_info import DatasetInfo
from workflow.data import fashion_mnist, idx


@pytest.fixture
def unpacked(fashion_mnist, tmp_path):
    for path in fashion_mnist.root.iterdir():
        (tmp_path / path.stem).write_bytes(gzip.decompress(path.read_bytes()))
    return tmp_path


def test_the_arrays_are_those_of_torchvision(unpacked, fashion_mnist):
    for name, reader, axes in (("images-idx3", read_image_file, 3), ("labels-idx1", read_label_file, 1)):
        for part in ("train", "t10k"):
            theirs = reader(str(unpacked / f"{part}-{name}-ubyte")).numpy()
            assert np.array_equal(idx.read(unpacked / f"{part}-{name}-ubyte", axes), theirs)
            assert np.array_equal(idx.read(fashion_mnist.root / f"{part}-{name}-ubyte.gz", axes), theirs)


def test_what_counts_is_the_content(unpacked, fashion_mnist):
    """The same set, whichever way it is stored."""
    found = fashion_mnist_check(unpacked, fashion_mnist.section)
    assert found.fingerprint == DatasetInfo.read(fashion_mnist.check).fingerprint
    assert found.classes == ["T-shirt/top", "Trouser", "Pullover", "Dress"]


def fashion_mnist_check(root: Path, section: dict) -> DatasetInfo:
    return fashion_mnist.check(section, root)


def test_the_classes_are_torchvision_s():
    assert list(fashion_mnist.CLASSES) == FashionMNIST.classes
