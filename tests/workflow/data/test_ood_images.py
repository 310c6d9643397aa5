"""Out-of-distribution images: what a check finds of them, and what of the drawn twins."""

import numpy as np
import pytest
from PIL import Image

from workflow.core.errors import UserError
from workflow.data import odin, ood_images
from workflow.data.sets.odin import COUNTS
from workflow.data.synthetic import generate


def twin(name, folder, **spec):
    """A twin of a layout."""
    generate.make(name, {"classes": 6, "test": 2, "seed": 0} | spec, folder)
    return folder


def test_every_folder_is_a_set(tmp_path):
    root = twin("ood_images", tmp_path / "sets", size=40)
    deep = root / "far/deeper"
    deep.mkdir()
    (root / "far/far_0.JPEG").rename(deep / "far_0.JPEG")
    check = ood_images.check({}, root, None, 1)
    assert (check.classes, check.counts) == (["far", "near"], {"test": 4})
    source = ood_images.open_set(check.root, "far")
    assert [source.name(index) for index in range(len(source))] == ["far_1.JPEG", "deeper/far_0.JPEG"]
    with source.open(1) as photo:
        assert photo.size == (40, 40)


def test_the_fingerprint_is_of_every_image(tmp_path):
    before = ood_images.check({}, twin("ood_images", tmp_path / "a", size=40), None, 1).fingerprint
    root = twin("ood_images", tmp_path / "b", size=40)
    assert ood_images.check({}, root, None, 1).fingerprint == before
    Image.new("RGB", (40, 40)).save(root / "near/near_1.JPEG")
    assert ood_images.check({}, root, None, 1).fingerprint != before


def test_the_shapes_of_the_pretraining_set_are_not_drawn(tmp_path, monkeypatch):
    from workflow.data.synthetic import ood_images as drawing

    shown = []
    real = drawing.single_object_scene
    monkeypatch.setattr(drawing, "single_object_scene", lambda label, *rest: shown.append(label) or real(label, *rest))
    twin("ood_images", tmp_path / "sets", classes=9, test=20, size=32)
    assert set(shown) == {9, 10, 11}


def test_odins_sets_have_their_names_and_size(tmp_path, capsys):
    root = twin("odin", tmp_path / "odin")
    check = odin.check({}, root, None, 1)
    assert (check.classes, check.counts) == (sorted(COUNTS), {"test": 10})
    assert "iSUN: 2 images, not the official 8,925" in capsys.readouterr().out
    odin.check({"synthetic": {}}, root, None, 1)
    assert "official" not in capsys.readouterr().out
    with ood_images.open_set(check.root, "LSUN").open(0) as photo:
        assert np.asarray(photo).shape == (32, 32, 3)
    Image.new("RGB", (36, 32)).save(root / "LSUN/LSUN_0.JPEG")
    with pytest.raises(UserError, match=r"LSUN/LSUN_0.JPEG: the image has 36x32 px, not 32x32"):
        odin.check({}, root, None, 1)
