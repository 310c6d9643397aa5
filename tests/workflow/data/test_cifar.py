"""CIFAR's binary files: planes and labels are where the format has them, and no pickle is opened."""

import numpy as np
import pytest

from workflow.core.errors import UserError
from workflow.data import cifar10, cifar100
from workflow.data.cifar import class_names


def record(*labels, red=0, green=0, blue=0, first=(1, 2, 3)):
    """A record whose first pixel is `first` and whose others have one colour."""
    planes = [bytes([start]) + bytes([value]) * 1023 for start, value in zip(first, (red, green, blue), strict=True)]
    return bytes(labels) + b"".join(planes)


@pytest.fixture
def ten(tmp_path):
    """Two classes: five training images and two test images."""
    for number in range(1, 6):
        (tmp_path / f"data_batch_{number}.bin").write_bytes(record(number % 2, red=10 * number))
    (tmp_path / "test_batch.bin").write_bytes(record(1, green=7) + record(0, blue=9, first=(4, 5, 6)))
    (tmp_path / "batches.meta.txt").write_text("airplane\nautomobile\n\n")
    return tmp_path


def test_pixels_are_planes_in_the_order_of_the_records(ten):
    test, train = (cifar10.open_part(str(ten), part) for part in ("test", "train"))
    assert test.targets.tolist() == [1, 0]
    assert test.pixels[:, 0, 0].tolist() == [[1, 2, 3], [4, 5, 6]]
    assert (test.pixels[1, 1:] == [0, 0, 9]).all()
    assert train.targets.tolist() == [1, 0, 1, 0, 1]
    assert train.pixels[:, 31, 31, 0].tolist() == [10, 20, 30, 40, 50]
    assert cifar10.check({}, ten).classes == ["airplane", "automobile"]


def test_rows_are_before_columns(ten):
    pixels = np.zeros((3, 32, 32), dtype=np.uint8)
    pixels[2, 1, 5] = 200
    (ten / "test_batch.bin").write_bytes(b"\0" + pixels.tobytes())
    with cifar10.open_part(str(ten), "test").open(0) as image:
        assert image.getpixel((5, 1)) == (0, 0, 200)


def test_the_label_of_cifar_100_is_the_fine_one(tmp_path):
    (tmp_path / "test.bin").write_bytes(record(9, 1) + record(3, 0, red=1))
    assert cifar100.open_part(str(tmp_path), "test").targets.tolist() == [1, 0]


def test_pickles_are_named_and_not_opened(ten, capsys):
    (ten / "data_batch_1").write_bytes(b"no pickle at all")
    (ten / "notes").touch()
    before = cifar10.check({}, ten).fingerprint
    said = capsys.readouterr().out
    assert "1 not used, pickles of the python archive, which are never opened: data_batch_1\n" in said
    assert "1 not used, none of the set's files: notes\n" in said
    (ten / "data_batch_3.bin").unlink()
    with pytest.raises(UserError, match=r"data_batch_3\.bin: the file is missing; data_batch_1 is of the python arch"):
        cifar10.check({}, ten)
    (ten / "data_batch_3.bin").write_bytes(record(1, red=31))
    assert cifar10.check({}, ten).fingerprint != before


def test_another_number_than_the_official_one_is_a_warning(ten, capsys):
    (ten / "batches.meta.txt").write_text("".join(f"class {n}\n" for n in range(10)))
    cifar10.check({}, ten)
    said = capsys.readouterr().out
    assert f"warning: {ten}: 5 and 2 images, not the official 50,000 and 10,000\n" in said
    assert f"warning: {ten}: train has no image of class 2, class 3, class 4 and 5 more\n" in said


def test_names_are_those_of_the_file(ten):
    assert class_names(ten, cifar10.FILES) == ["airplane", "automobile"]
    (ten / "batches.meta.txt").write_bytes("\ufeffcat\r\ndog\r\n".encode())
    assert class_names(ten, cifar10.FILES) == ["cat", "dog"]
