"""per_image.npz: what is read, and what is refused by file and array."""

import os
from pathlib import Path

import numpy as np
import pytest

from tests.workflow.reporting import plain
from workflow import registry
from workflow.core.errors import UserError
from workflow.reporting.statistics.per_image import check_same_images, read
from workflow.training.per_image import write

DECLARED = [one for task in ("ssd_voc", "nic_coco") for one in registry.tasks()[task].resampling]


def test_what_was_written_is_read(tmp_path):
    path = tmp_path / "per_image.npz"
    arrays = plain.detections(0)
    write(path, [f"{i:06d}" for i in range(12)], top1_error=np.linspace(0, 100, 12), **arrays)
    found = read(path, DECLARED)
    assert found.images[1] == "000001"
    assert list(found.unique) == ["detections"]
    assert list(found.per_image) == ["top1_error"]
    assert all(np.array_equal(found.arrays[key], array) for key, array in arrays.items())


def test_no_file_is_no_evidence(tmp_path):
    assert read(tmp_path / "per_image.npz", DECLARED) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CIDEr": np.zeros(11)}, r"CIDEr has shape \(11,\), not \(12,\)"),
        ({"CIDEr": np.zeros(12, dtype=int)}, "CIDEr is of int64"),
        ({"CIDEr": np.full(12, np.nan)}, "CIDEr has values that are no finite numbers"),
        ({"bleu": np.zeros((12, 9), dtype=int)}, r"bleu has shape \(12, 9\), not \(12, 10\)"),
        ({"meteor": np.zeros((12, 22), dtype=int)}, r"meteor has shape \(12, 22\), not \(12, 23\)"),
        ({"meteor": np.zeros((12, 23))}, "meteor is of float64"),
        ({"score": None, "left": None}, "left, score is missing"),
        ({"truths": np.zeros((11, 4), dtype=int)}, r"truths has shape \(11, 4\), not \(12, 4\)"),
        ({"hit": np.zeros((3, 1), dtype=bool)}, r"hit has shape \(3, 1\)"),
        ({"hit": np.array(True)}, r"hit has shape \(\), not \(D, T\)"),
        ({"image": np.array(3)}, r"image has shape \(\), not \(D\)"),
        ({"truths": np.zeros((12, 0), dtype=int)}, "truths has no class"),
        ({"METEOR": np.array(3.0)}, r"METEOR has shape \(\), not \(12,\)"),
        ({"left": np.zeros(1, dtype=np.uint8)}, "left has shape"),
        ({"image": "rise"}, "image has values outside 0 to 11"),
        ({"label": "rise"}, "label has values outside 0 to 3"),
        ({"score": "turn"}, "score rises within a class"),
        ({"score": "nan"}, "score has values that are no finite numbers"),
        ({"truths": np.full((12, 4), -1)}, "truths has values outside 0 to 1073741824"),
        ({"bleu": np.full((12, 10), 1 << 40)}, "bleu has values outside 0 to 1073741824"),
    ],
)
def test_a_wrong_array_is_refused_by_name(tmp_path, change, message):
    arrays = plain.detections(0)
    turns = {
        "rise": lambda array: array + 12,
        "turn": lambda array: array[::-1].copy(),
        "nan": lambda array: array * np.nan,
    }
    for key, value in change.items():
        arrays[key] = turns[value](arrays[key]) if isinstance(value, str) else value
    path = tmp_path / "per_image.npz"
    write(path, np.arange(12), **{key: array for key, array in arrays.items() if array is not None})
    with pytest.raises(UserError, match=message) as error:
        read(path, DECLARED)
    assert str(path) in str(error.value)


def test_a_score_that_rises_among_other_classes_is_refused(tmp_path):
    arrays = {"image": np.array([0, 1, 2, 3]), "label": np.array([0, 1, 0, 1]), "score": np.array([0.5, 0.9, 0.8, 0.7])}
    arrays |= {key: np.zeros((4, 1), dtype=bool) for key in ("hit", "left")} | {"truths": np.ones((4, 2), dtype=int)}
    write(tmp_path / "per_image.npz", np.arange(4), **arrays)
    with pytest.raises(UserError, match="score rises within a class"):
        read(tmp_path / "per_image.npz", DECLARED)


def test_another_number_of_thresholds_is_refused(tmp_path):
    write(tmp_path / "per_image.npz", np.arange(12), **plain.detections(0, thresholds=3))
    with pytest.raises(UserError, match="hit has 3 IoU thresholds, not 1 or 10"):
        read(tmp_path / "per_image.npz", DECLARED)


def test_flags_must_be_flags(tmp_path):
    arrays = plain.detections(0)
    write(tmp_path / "per_image.npz", np.arange(12), **(arrays | {"left": arrays["left"].astype(np.uint8)}))
    with pytest.raises(UserError, match="left is of uint8"):
        read(tmp_path / "per_image.npz", DECLARED)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_what_is_no_such_file_is_refused(tmp_path, content):
    path = tmp_path / "per_image.npz"
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"per_image\.npz: not a file of plain numpy arrays"):
        read(path, DECLARED)


def test_a_damaged_array_is_refused(tmp_path):
    path = tmp_path / "per_image.npz"
    np.savez_compressed(path, images=np.random.default_rng(0).integers(1000, size=1000))
    content = bytearray(path.read_bytes())
    content[100:300] = bytes(200)
    path.write_bytes(content)
    with pytest.raises(UserError, match=r"per_image\.npz: not a file of plain numpy arrays"):
        read(path, DECLARED)


def test_one_array_alone_is_no_evidence(tmp_path):
    with (tmp_path / "per_image.npz").open("wb") as file:
        np.save(file, np.arange(3))
    with pytest.raises(UserError, match=r"per_image\.npz: not a file of plain numpy arrays"):
        read(tmp_path / "per_image.npz", DECLARED)


def test_a_single_image_without_an_axis_is_refused(tmp_path):
    np.savez(tmp_path / "per_image.npz", images=np.array(1))
    with pytest.raises(UserError, match=r"images has shape \(\), not \(N,\)"):
        read(tmp_path / "per_image.npz", DECLARED)


def test_a_pickle_is_not_opened(tmp_path):
    path = tmp_path / "per_image.npz"
    np.savez(path, images=np.array([{}], dtype=object))
    with pytest.raises(UserError, match="not a file of plain numpy arrays"):
        read(path, DECLARED)


@pytest.mark.parametrize("kind", ["pipe", "folder", "device", "link to a device"])
def test_what_is_no_regular_file_is_refused_and_does_not_hang(tmp_path, kind):
    path = tmp_path / "per_image.npz"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path = Path("/dev/zero")
    else:
        path.symlink_to("/dev/zero")
    with pytest.raises(UserError, match=f"^{path}: (not a regular file|Is a directory)$"):
        read(path, DECLARED)


def test_the_images_are_numbers_or_names(tmp_path):
    write(tmp_path / "per_image.npz", np.zeros(3), top1_error=np.zeros(3))
    with pytest.raises(UserError, match="images is of float64, neither integers nor texts"):
        read(tmp_path / "per_image.npz", DECLARED)


def test_the_names_of_the_images_are_needed(tmp_path):
    np.savez(tmp_path / "per_image.npz", top1_error=np.zeros(3))
    with pytest.raises(UserError, match="images is missing"):
        read(tmp_path / "per_image.npz", DECLARED)
    write(tmp_path / "per_image.npz", [], top1_error=np.zeros(0))
    with pytest.raises(UserError, match=r"images has shape \(0,\)"):
        read(tmp_path / "per_image.npz", DECLARED)


def test_other_images_cannot_be_paired(tmp_path):
    for name, images in (("a", [1, 2, 3]), ("b", [1, 3, 2])):
        write(tmp_path / name, images)
    one, other = read(tmp_path / "a"), read(tmp_path / "b")
    check_same_images(one, one)
    with pytest.raises(UserError, match=r"a and .*b cannot be paired: their test images differ"):
        check_same_images(one, other)
