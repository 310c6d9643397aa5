"""CHECK.json: its bytes, and what is no result of a check."""

import pytest

from tests.checks import info
from workflow.core.dataset_info import DatasetInfo, unknown_classes
from workflow.core.errors import UserError
from workflow.core.files import hashed, write_hashed, write_json

ABOUT = {
    "set": "coco",
    "root": "data/coco",
    "split": "2014",
    "fingerprint": "f00",
    "classes": ["cat", "dog"],
    "kinds": ["captions"],
    "with_object": 0,
    "counts": {"train_images": 2},
}


def test_the_file_has_these_keys_in_this_order_and_comes_back(tmp_path):
    write_hashed(tmp_path / "a.json", ABOUT)
    DatasetInfo(**ABOUT).write(tmp_path / "b.json")
    assert (tmp_path / "a.json").read_bytes() == (tmp_path / "b.json").read_bytes()
    assert DatasetInfo.read(tmp_path / "b.json") == DatasetInfo(**ABOUT)


def test_what_a_set_does_not_have_is_left_out(tmp_path):
    info("f1").write(tmp_path / "a.json")
    assert list(info("f1").as_dict()) == ["set", "root", "fingerprint", "classes", "counts"]
    assert DatasetInfo.read(tmp_path / "a.json") == info("f1")


@pytest.mark.parametrize("key", ["set", "root", "fingerprint", "classes", "counts"])
def test_a_file_that_lacks_a_key_is_refused(key, tmp_path):
    write_hashed(tmp_path / "a.json", {name: value for name, value in ABOUT.items() if name != key})
    with pytest.raises(UserError, match=rf"a\.json: it has no '{key}'"):
        DatasetInfo.read(tmp_path / "a.json")


@pytest.mark.parametrize(("key", "value"), [("counts", [2]), ("classes", "cat"), ("root", None), ("with_object", "2")])
def test_a_value_of_another_type_is_refused(key, value, tmp_path):
    write_hashed(tmp_path / "a.json", ABOUT | {key: value})
    with pytest.raises(UserError, match=rf"a\.json: {key}: must be \w+, not "):
        DatasetInfo.read(tmp_path / "a.json")


def test_an_edited_file_is_refused(tmp_path):
    write_json(tmp_path / "a.json", hashed(ABOUT) | {"root": "elsewhere"})
    with pytest.raises(UserError, match=r"a\.json: damaged: its content is not what was written"):
        DatasetInfo.read(tmp_path / "a.json")


def test_unknown_classes_are_named_and_counted():
    assert unknown_classes(["a", "b"], ["b"]) == ""
    assert unknown_classes(["a", "b"], ["b", "d", "c"]) == "c, d"
    assert unknown_classes([], list("edcba")) == "a, b, c and 2 more"
