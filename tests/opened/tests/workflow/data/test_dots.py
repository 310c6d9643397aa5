"""The check of dots: a generated set is fine, and a fault is named with its file."""

import json

import pytest

from workflow.core.errors import UserError
from workflow.data import dots
from workflow.data.labelled import open_test
from workflow.data.synthetic import generate

SPEC = {"classes": 3, "train": 9, "test": 6, "size": 32, "seed": 0}


@pytest.fixture
def root(tmp_path):
    generate.make("dots", SPEC, tmp_path / "dots")
    return tmp_path / "dots"


def test_a_synthetic_set_is_fine(root):
    content = dots.check({"synthetic": SPEC}, root)
    assert content.counts == {"train": 9, "test": 6}
    assert content.classes == ["1 dots", "2 dots", "3 dots"]
    assert [label for _, label in dots.samples(root, "test")] == [0, 1, 2, 0, 1, 2]
    source = open_test(content)
    assert [f"{source.root}/{source.name(n)}" for n in range(6)] == [path for path, _ in dots.samples(root, "test")]
    assert source.targets.tolist() == [0, 1, 2, 0, 1, 2]
    with source.open(1) as image:
        assert image.size == (32, 32)


@pytest.mark.parametrize("label", [3, -1, "2", None])
def test_a_label_of_no_class_is_named(root, label):
    content = json.loads((root / "labels.json").read_text())
    content["train"]["000004.png"] = label
    (root / "labels.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"labels\.json: train: 000004\.png: must be an image of train and the place"):
        dots.check({}, root)


def test_an_image_that_is_missing_or_in_both_splits_is_named(root):
    (root / "test/000001.png").unlink()
    (root / "test/000002.png").write_bytes((root / "train/000000.png").read_bytes())
    with pytest.raises(UserError, match=r"2 faults") as error:
        dots.check({}, root)
    assert "test/000001.png: labels.json lists it, and there is no such file" in str(error.value)
    assert "test/000002.png: the same image is used for training, as " in str(error.value)
