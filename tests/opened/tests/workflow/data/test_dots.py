"""The check of dots: what is made is fine, and a fault is named with its file."""

import json

import pytest

from workflow.data import dots, synthetic
from workflow.training.errors import UserError

SPEC = {"classes": 3, "train": 9, "test": 6, "size": 32, "seed": 0}


@pytest.fixture
def made(tmp_path):
    synthetic.make("dots", SPEC, tmp_path / "dots")
    return tmp_path / "dots"


def test_a_synthetic_set_is_fine(made):
    found = dots.check({"synthetic": SPEC}, made)
    assert found["counts"] == {"train": 9, "test": 6}
    assert found["classes"] == ["1 dots", "2 dots", "3 dots"]
    assert [label for _, label in dots.samples(made, "test")] == [0, 1, 2, 0, 1, 2]


@pytest.mark.parametrize("label", [3, -1, "2", None])
def test_a_label_of_no_class_is_named(made, label):
    content = json.loads((made / "labels.json").read_text())
    content["train"]["000004.png"] = label
    (made / "labels.json").write_text(json.dumps(content))
    with pytest.raises(UserError, match=r"labels\.json: train: 000004\.png: must be an image of train and the place"):
        dots.check({}, made)


def test_an_image_that_is_missing_or_in_both_splits_is_named(made):
    (made / "test/000001.png").unlink()
    (made / "test/000002.png").write_bytes((made / "train/000000.png").read_bytes())
    with pytest.raises(UserError, match=r"2 faults") as error:
        dots.check({}, made)
    assert "test/000001.png: labels.json lists it, and there is no such file" in str(error.value)
    assert "test/000002.png: the same image is used for training, as " in str(error.value)
