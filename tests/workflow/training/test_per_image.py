"""Evidence is plain arrays, the same bytes for the same arrays; anything else is one line, whatever it claims."""

import io
import tracemalloc
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.lib import format as npy

from workflow.core.errors import UserError
from workflow.training.per_image import parse, write

NAME = Path("per_image.npz")


def parsed(content):
    """The arrays, or None where one line says what is wrong."""
    try:
        return parse(NAME, content)
    except UserError as error:
        line = str(error)
    assert line.startswith("per_image.npz: not a file of plain numpy arrays: ")
    assert len(line.splitlines()) == 1
    return None


def test_the_arrays_come_back(tmp_path):
    path = tmp_path / "per_image.npz"
    write(path, ["000001", "000002"], CIDEr=np.array([10.0, 90.0]))
    with np.load(path) as found:
        assert found["images"].tolist() == ["000001", "000002"]
        assert found["CIDEr"].tolist() == [10.0, 90.0]
    assert [file.name for file in tmp_path.iterdir()] == ["per_image.npz"]


def test_equal_arrays_are_equal_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        write(tmp_path / name, [1, 2], hit=np.eye(2, dtype=bool))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_objects_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write(tmp_path / "per_image.npz", [1], hit=np.array([{}], dtype=object))
    assert not list(tmp_path.iterdir())


def archive(members, compression=zipfile.ZIP_DEFLATED):
    """The bytes of a zip file with these (name, content)."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file, warnings.catch_warnings(action="ignore"):
        for name, content in members:
            file.writestr(name, content)
    return buffer.getvalue()


def array(shape, descr, body=b""):
    """The bytes of an .npy file that claims this shape and kind."""
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"shape": shape, "fortran_order": False, "descr": descr})
    return buffer.getvalue() + body


GOOD = [("images.npy", array((3,), "<i8", bytes(24))), ("mAP.npy", array((3,), "<f8", bytes(24)))]


@pytest.mark.parametrize(
    "content",
    [
        array((10**12,), "<f8", bytes(24)),
        array((10**6, 10**6), "|b1"),
        array((10**30,), "<f8", bytes(24)),
        array((-3,), "<f8", bytes(24)),
        array((10**12,), "<U0"),
        array((2,), "<f8", bytes(24)),
        array((3,), "|O", bytes(24)),
        array((3,), "<f8", bytes(24)) + b"more",
        b"\x93NUMPY\x09\x09",
        b"\x93NUMPY\x01\x00\x10\x00" + b"(" * 16,
        b"",
    ],
)
def test_a_header_that_lies_is_refused_before_memory_is_taken(content):
    tracemalloc.start()
    try:
        with pytest.raises(UserError, match=r"^per_image\.npz: not a file of plain numpy arrays: ."):
            parse(NAME, archive([*GOOD, ("hit.npy", content)]))
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_more_than_the_memory_of_a_machine_is_refused(monkeypatch):
    monkeypatch.setattr("workflow.training.per_image.LARGEST", 1 << 20)
    zeros = array((1 << 21,), "|b1", bytes(1 << 21))  # of which the file holds two kilobytes
    with pytest.raises(UserError, match="its arrays take more than 1,048,576 bytes"):
        parse(NAME, archive([*GOOD, ("hit.npy", zeros)]))


def test_an_array_that_stands_twice_is_refused():
    with pytest.raises(UserError, match="an array stands in it twice"):
        parse(NAME, archive([*GOOD, GOOD[0]]))


def test_every_bit_counts():
    """Flipped one at a time, headers and directory of the archive included: the same arrays, or one line."""
    content = archive([(name, array((3,), "<i8", bytes(range(24)))) for name in ("images.npy", "bleu.npy")])
    right = parse(NAME, content)
    same = 0
    for bit in range(8 * len(content)):
        broken = bytearray(content)
        broken[bit // 8] ^= 1 << bit % 8
        if (found := parsed(bytes(broken))) is None:
            continue
        # A name in the directory, or the bits of a name's encoding, are the keys: whoever reads misses the array.
        assert all(np.array_equal(found[key], right[key]) for key in found.keys() & right.keys())
        same += found.keys() == right.keys()
    assert same < 8 * len(content) / 2


@given(st.binary(max_size=300), st.booleans(), st.integers(0, 400), st.integers(0, 400))
def test_any_bytes_are_arrays_or_one_line(noise, inside, start, stop):
    whole = archive(GOOD)
    content = whole[:start] + noise + whole[stop:] if inside else noise
    found = parsed(content)
    assert found is None or all(isinstance(one, np.ndarray) for one in found.values())


@given(st.binary(max_size=200))
def test_any_bytes_of_an_array_are_one_or_one_line(noise):
    parsed(archive([("images.npy", b"\x93NUMPY\x01\x00" + noise)], zipfile.ZIP_STORED))
