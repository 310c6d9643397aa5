"""Test sets in class folders: ImageNet-R and ImageNet-A."""

import importlib
import shutil

import pytest

from workflow.core.errors import UserError
from workflow.data.synthetic import generate

SPEC = {"classes": 3, "test": 7, "size": 32, "seed": 0}
SETS = ("imagenet_r", "imagenet_a")


@pytest.fixture(params=SETS)
def generated(request, tmp_path):
    """check(): of a synthetic set at `root`."""
    generate.make(request.param, SPEC, tmp_path / "data")
    return importlib.import_module(f"workflow.data.{request.param}").check, tmp_path / "data", request.param


def test_a_synthetic_set_is_fine(generated):
    check, root, name = generated
    info = check({}, root)
    assert (info.set, info.counts) == (name, {"test": 7})
    assert info.classes == ["n00000001", "n00000002", "n00000003"], "those of the drawn ImageNet"


def test_the_same_spec_gives_the_same_bytes_and_a_larger_set_begins_with_it(generated, tmp_path):
    _, root, name = generated
    generate.make(name, SPEC | {"test": 10}, tmp_path / "larger")
    files = sorted(path.relative_to(root) for path in root.rglob("*.JPEG"))
    assert len(files) == 7
    assert all((root / file).read_bytes() == (tmp_path / "larger" / file).read_bytes() for file in files)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (shutil.rmtree, "the folder of ImageNet-. is missing"),
        (lambda root: [path.unlink() for path in (root / "n00000002").iterdir()], "n00000002: the class folder holds"),
        (lambda root: [shutil.rmtree(root / f"n0000000{n}") for n in (1, 2)], "two class folders at least, found 1"),
        (lambda root: next(root.rglob("*.JPEG")).write_bytes(b"x"), "the image cannot be decoded: no known image"),
    ],
)  # fmt: skip
def test_a_fault_is_named(generated, damage, message):
    check, root, _ = generated
    damage(root)
    with pytest.raises(UserError, match=message):
        check({}, root)
