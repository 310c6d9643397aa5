"""Evidence is plain arrays, the same bytes for the same arrays."""

import numpy as np
import pytest

from workflow.training.evidence import write


def test_the_arrays_come_back(tmp_path):
    path = tmp_path / "evidence.npz"
    write(path, ["000001", "000002"], CIDEr=np.array([10.0, 90.0]))
    with np.load(path) as found:
        assert found["images"].tolist() == ["000001", "000002"]
        assert found["CIDEr"].tolist() == [10.0, 90.0]
    assert [file.name for file in tmp_path.iterdir()] == ["evidence.npz"]


def test_equal_arrays_are_equal_bytes(tmp_path):
    for name in ("one.npz", "two.npz"):
        write(tmp_path / name, [1, 2], hit=np.eye(2, dtype=bool))
    assert (tmp_path / "one.npz").read_bytes() == (tmp_path / "two.npz").read_bytes()


def test_objects_are_refused_and_leave_nothing(tmp_path):
    with pytest.raises(ValueError, match="allow_pickle"):
        write(tmp_path / "evidence.npz", [1], hit=np.array([{}], dtype=object))
    assert not list(tmp_path.iterdir())
