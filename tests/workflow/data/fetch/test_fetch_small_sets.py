"""CIFAR from its binary archives, and FashionMNIST from files that are no archives."""

import gzip
import importlib

import pytest

from tests.workflow.data.conftest import below, small, tar_of
from workflow.data.fetch.fetch import fetch, is_incomplete, official

ARCHIVES = {
    "cifar10": ("cifar-10-binary.tar.gz", "cifar-10-batches-bin", {"data_batch_*.bin": 5, "test_batch.bin": 1}),
    "cifar100": ("cifar-100-binary.tar.gz", "cifar-100-binary", {"*.bin": 2}),
}


@pytest.mark.parametrize("name", ARCHIVES)
def test_the_folder_of_the_archive_becomes_the_root(name, request, tmp_path):
    (file, folder, gives), made = ARCHIVES[name], request.getfixturevalue(name)
    archives = {file: gzip.compress(tar_of(below(made.root, f"{folder}/")))}
    (tmp_path / "archives").mkdir()
    (tmp_path / "archives" / file).write_bytes(archives[file])
    section, root = {"root": "x", "source": str(tmp_path / "archives")}, tmp_path / name
    fetch(name, section, root, small(name, archives, [gives]))
    assert not is_incomplete(name, section, root)
    found = importlib.import_module(f"workflow.data.{name}").check({}, root)
    assert found.fingerprint == importlib.import_module(f"workflow.data.{name}").check({}, made.root).fingerprint


def test_a_file_that_is_no_archive_is_put_in_place_as_it_is(fashion_mnist, tmp_path):
    files = {source.file: (fashion_mnist.root / source.file).read_bytes() for source in official("fashion_mnist")}
    gives = [source.gives for source in official("fashion_mnist")]
    section, root = {"root": "x", "source": str(fashion_mnist.root)}, tmp_path / "fashion_mnist"
    fetch("fashion_mnist", section, root, small("fashion_mnist", files, gives))
    assert {path.name: path.read_bytes() for path in root.glob("*.gz")} == files
    assert not is_incomplete("fashion_mnist", section, root)
    assert importlib.import_module("workflow.data.fashion_mnist").check({}, root).counts == {"train": 20, "test": 8}
