"""Whatever bytes a binary file of images has, it is read or named in one line."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workflow.core.errors import UserError
from workflow.data import idx
from workflow.data.cifar import records


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return tmp_path_factory.mktemp("files") / "x"


def read(path, content, reader):
    """What a reader gives; None where it has said what is wrong."""
    path.write_bytes(content)
    try:
        return reader()
    except UserError as error:
        said = str(error)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return None


@given(content=st.binary(max_size=40), axes=st.sampled_from([1, 3]), magic=st.booleans())
def test_idx(path, content, axes, magic):
    content = (struct.pack(">I", idx.MAGIC[axes]) if magic else b"") + content
    found = read(path, content, lambda: idx.read(path, axes))
    if found is not None:
        assert content == struct.pack(f">{axes + 1}I", idx.MAGIC[axes], *found.shape) + found.tobytes()


@given(sizes=st.lists(st.integers(0, 3), min_size=3, max_size=3), more=st.integers(-1, 1))
def test_idx_of_these_sizes(path, sizes, more):
    values = bytes(range(np.prod(sizes)))
    content = struct.pack(">4I", idx.MAGIC[3], *sizes) + values + b"x" * (more > 0)
    found = read(path, content[: len(content) + min(more, 0)], lambda: idx.read(path, 3))
    assert (found is not None) == (more == 0)
    assert found is None or (list(found.shape), found.tobytes()) == (sizes, values)


@given(number=st.integers(0, 3), labels=st.sampled_from([1, 2]), more=st.sampled_from([-1, 0, 1, 3072]))
def test_records(path, number, labels, more):
    size = max(0, number * (labels + 3072) + more)
    found = read(path, bytes(size), lambda: records(path, labels))
    assert (found is not None) == (size > 0 and size % (labels + 3072) == 0)
    assert found is None or len(found) == size // (labels + 3072)
