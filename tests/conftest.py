"""Tiny drawn data sets that all tests share: made and checked once a session, never to be changed (copy first)."""

import gc
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

from tests.snakemake_call import caller
from workflow.data import cifar10 as cifar10_set
from workflow.data import cifar100 as cifar100_set
from workflow.data import coco as coco_set
from workflow.data import cub as cub_set
from workflow.data import fashion_mnist as fashion_mnist_set
from workflow.data import image_folder as image_folder_set
from workflow.data import imagenet as imagenet_set
from workflow.data import imagenet_c as imagenet_c_set
from workflow.data import imagenet_r as imagenet_r_set
from workflow.data import odin as odin_set
from workflow.data import voc as voc_set
from workflow.data.synthetic import generate

# The same examples in every run, however slow the machine, and nothing left behind.
PROJECT = Path(__file__).parent.parent
HYPOTHESIS = tempfile.TemporaryDirectory(prefix="hypothesis-")  # until Python ends
set_hypothesis_home_dir(HYPOTHESIS.name)
settings.register_profile("house", derandomize=True, deadline=None, database=None, max_examples=60)
settings.load_profile("house")
if "REALMINI" in os.environ:  # tests work in folders of their own
    os.environ["REALMINI"] = str(Path(os.environ["REALMINI"]).resolve())
collect_ignore = ["opened"]  # added to a copy of the project, where its tests run: test_opened.py


def pytest_collection_finish():
    """mmengine collects garbage for each data set that it builds: what was imported is not searched each time."""
    gc.freeze()


@pytest.fixture(autouse=True)
def _empty_working_folder(tmp_path_factory, monkeypatch):
    """No test sees what lies in the checkout (results, states, data, Snakemake's own), or leaves anything there."""
    monkeypatch.chdir(tmp_path_factory.mktemp("working"))
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))  # for processes that a test starts


def _make(folder: Path, module, section: dict) -> SimpleNamespace:
    """root: the data; check: the path of CHECK.json; section: the set's section of a config."""
    name = module.__name__.split(".")[-1]
    root, check = folder / name, folder / f"{name}.json"
    generate.make(name, section["synthetic"], root)
    module.check(section, root).write(check)
    return SimpleNamespace(root=root, check=check, section=section)


@pytest.fixture(scope="session")
def imagenet(tmp_path_factory):
    """40 training and 12 validation images of 4 classes, 48 px."""
    spec = {"classes": 4, "train": 40, "val": 12, "size": 48, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), imagenet_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def cifar10(tmp_path_factory):
    """20 training and 8 test images of 4 classes, 32 px, in the official binary files."""
    spec = {"classes": 4, "train": 20, "test": 8, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), cifar10_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def cifar100(tmp_path_factory):
    """12 training and 8 test images of 4 classes, 32 px, in the official binary files."""
    spec = {"classes": 4, "train": 12, "test": 8, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), cifar100_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def fashion_mnist(tmp_path_factory):
    """20 training and 8 test images of 4 classes, grey, 28 px, in compressed IDX files."""
    spec = {"classes": 4, "train": 20, "test": 8, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), fashion_mnist_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def image_folder(tmp_path_factory):
    """20 training and 8 test images of 4 classes, 40 px, in folders."""
    spec = {"classes": 4, "train": 20, "test": 8, "size": 40, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), image_folder_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def voc(tmp_path_factory):
    """8 + 8 trainval and 6 test images with objects of 4 classes, 96 px."""
    spec = {"classes": 4, "trainval07": 8, "trainval12": 8, "test07": 6, "size": 96, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), voc_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def coco(tmp_path_factory):
    """12 training and 6 test images with five captions each, 64 px."""
    spec = {"classes": 4, "train": 12, "val": 6, "size": 64, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), coco_set, {"synthetic": spec, "split": "2014"})


@pytest.fixture(scope="session")
def imagenet_c(tmp_path_factory):
    """4 images of 2 classes in 75 corrupted copies each, 32 px."""
    spec = {"classes": 2, "test": 4, "size": 32, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), imagenet_c_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def imagenet_r(tmp_path_factory):
    """6 images of 3 classes, 48 px."""
    spec = {"classes": 3, "test": 6, "size": 48, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), imagenet_r_set, {"synthetic": spec})


@pytest.fixture(scope="session")
def odin(tmp_path_factory):
    """2 images of each of ODIN's sets, 32 px."""
    return _make(tmp_path_factory.mktemp("data"), odin_set, {"synthetic": {"classes": 4, "test": 2, "seed": 0}})


@pytest.fixture(scope="session")
def cub(tmp_path_factory):
    """24 training and 10 test images of 4 classes with a box each, 40 px."""
    spec = {"classes": 4, "train": 24, "test": 10, "size": 40, "seed": 0}
    return _make(tmp_path_factory.mktemp("data"), cub_set, {"synthetic": spec})


@pytest.fixture
def snakemake(tmp_path):
    """Call the real Snakemake on the project's Snakefile, in tmp_path; returns (exit status, all that it printed)."""
    return caller(tmp_path)


@pytest.fixture
def required(monkeypatch, capsys):
    """Call it with the `main` of a command line (and a subcommand) to get the arguments that it must be given."""

    def missing(main, *subcommand):
        monkeypatch.setattr(sys, "argv", ["x", *subcommand])
        with pytest.raises(SystemExit) as end:
            main()
        assert end.value.code == 2
        return capsys.readouterr().err.rpartition("are required: ")[2].strip().split(", ")

    return missing


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Processes that are started from here on are watched; gives the file of what they have unpickled."""
    folder = tmp_path / "watching"
    folder.mkdir()
    shutil.copy(PROJECT / "tests/unpickling.py", folder / "sitecustomize.py")
    monkeypatch.setenv("PYTHONPATH", f"{folder}{os.pathsep}{PROJECT}")
    monkeypatch.setenv("UNPICKLED", str(folder / "unpickled"))
    (folder / "unpickled").touch()
    return folder / "unpickled"


@pytest.fixture
def small_disk(tmp_path):
    """A disk of its own at `small`, and `resize("10m")`."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    try:
        subprocess.run(mount, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("a small disk needs the right to mount a tmpfs")
    try:
        yield lambda size: subprocess.run(["mount", "-o", f"remount,size={size}", str(folder)], check=True)
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)
