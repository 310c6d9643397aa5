"""ImageNet-C's layout: every corruption in every severity, with the same images."""

import shutil

import numpy as np
import pytest
from PIL import Image

from workflow.core.errors import UserError
from workflow.data import imagenet_c
from workflow.data.sets.imagenet_c import CORRUPTIONS
from workflow.data.synthetic import generate
from workflow.data.synthetic.imagenet import val_image, wnids
from workflow.data.synthetic.sprites import Shapes
from workflow.data.validation.decoding import decode

IMAGE = "snow/1/n00000001/ILSVRC2012_val_00000003.JPEG"
SPEC = {"classes": 2, "test": 4, "size": 32, "seed": 0}


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    root = tmp_path_factory.mktemp("c") / "data"
    generate.make("imagenet_c", SPEC, root)
    return root


@pytest.fixture
def root(generated, tmp_path):
    shutil.copytree(generated, tmp_path / "c")
    return tmp_path / "c"


def test_a_synthetic_set_is_fine_and_is_remembered(root, tmp_path):
    info = imagenet_c.check({}, root, tmp_path / "memory.sqlite", 1)
    assert info.counts == {"test": 4, "corrupted": 300}
    assert info.classes == ["n00000001", "n00000002"]
    assert len(list(tmp_path.glob("memory-*.sqlite"))) == 15, "one for each corruption: all at once take gigabytes"
    assert imagenet_c.check({}, root, tmp_path / "memory.sqlite", 1) == info
    image = root / "fog/2/n00000001/ILSVRC2012_val_00000001.JPEG"
    Image.new("RGB", (32, 32)).save(image)
    assert imagenet_c.check({}, root, tmp_path / "memory.sqlite", 1).fingerprint != info.fingerprint


def test_a_corruption_takes_more_away_in_its_last_severity_than_in_its_first(generated):
    label, name, original = val_image(Shapes(2), SPEC, 1)
    assert imagenet_c.folder(generated, "fog", 3) == f"{generated}/fog/3"
    for corruption in CORRUPTIONS:
        folders = [imagenet_c.folder(generated, corruption, severity) for severity in (1, 5)]
        files = (f"{folder}/{wnids(2)[label]}/{name}" for folder in folders)
        copies = [decode(file).astype(float) for file in files]
        first, last = (np.abs(copy - original.pixels).mean() for copy in copies)
        assert last > first > 0, corruption


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda root: shutil.rmtree(root / "fog/3"), r"fog/3: the folder of this corruption and severity is missing"),
        (lambda root: shutil.rmtree(root / "fog"), r"5 faults in the data"),
        (lambda root: shutil.rmtree(root / "snow/1/n00000002"), r"snow/1: there must be two class folders at least"),
        (lambda root: (root / "snow/1/n00000002").rename(root / "snow/1/n00000009"),
         r"snow/1: its class folders are not those of .*gaussian_noise/1"),
        (lambda root: (root / IMAGE).unlink(),
         r"snow/1: n00000001/ILSVRC2012_val_00000003.JPEG is missing \(1 of 4 images\), it is in .*gaussian_noise/1"),
        (lambda root: shutil.copy(root / IMAGE, root / "snow/1/n00000001/x.png"),
         r"snow/1: n00000001/x.png is not in .*gaussian_noise/1"),
        (lambda root: (root / "jpeg_compression/5/n00000001/ILSVRC2012_val_00000001.JPEG").write_bytes(b""),
         r"jpeg_compression/5/n00000001/ILSVRC2012_val_00000001.JPEG: the image is empty"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(root, damage, message):
    damage(root)
    with pytest.raises(UserError, match=message):
        imagenet_c.check({}, root, None, 1)


def test_further_corruptions_are_said_and_not_used(root, capsys):
    (root / "spatter").mkdir()
    imagenet_c.check({}, root, None, 1)
    assert "1 not used, none of the 15 corruptions: spatter" in "".join(capsys.readouterr())
