"""An evaluation resumes by its finished parts, and uses none that are of another recipe, backbone, data or code."""

import numpy as np
import pytest

from workflow.core.files import read_json, write_hashed
from workflow.training.resume import attempts
from workflow.training.resume.parts import FinishedParts

OF = {"recipe": "r", "backbone": "b", "data": "d", "libraries": {"torch": "1"}}


class Work:
    """Counts what is computed."""

    def __init__(self):
        self.computed = []

    def __call__(self, name):
        def compute():
            self.computed.append(name)
            return {"score": np.arange(3) / len(name), "flag": np.array([[True], [False]])}

        return compute


@pytest.fixture
def work():
    return Work()


def run(state, work, of=OF, names=("one", "three")):
    attempts.begin(of["libraries"], state)
    parts = FinishedParts(state, of, "task row")
    return {name: parts(name, work(name)) for name in names}


def test_finished_parts_are_read_with_the_same_bits(tmp_path, work):
    first = run(tmp_path, work, names=("one",))
    again = run(tmp_path, work)
    assert work.computed == ["one", "three"]
    for key, array in first["one"].items():
        assert again["one"][key].dtype == array.dtype
        assert again["one"][key].tobytes() == array.tobytes()
    assert set(again["one"]) == {"score", "flag"}


@pytest.mark.parametrize(
    ("key", "other"), [("recipe", "q"), ("backbone", "c"), ("data", "e"), ("libraries", {"torch": "2"})]
)
def test_parts_of_something_else_are_not_used(tmp_path, work, key, other, capsys):
    run(tmp_path, work)
    run(tmp_path, work, OF | {key: other})
    assert work.computed == ["one", "three"] * 2
    assert f"computed of other {key}; its parts are computed again" in capsys.readouterr().out


def test_parts_of_other_code_are_not_used_and_leave_no_trace(tmp_path, work, capsys):
    run(tmp_path, work)
    file, code = tmp_path / "parts/one.json", "workflow/training/resume/parts.py"
    made = read_json(file)
    made["code"][code] = "another"
    write_hashed(file, {key: made[key] for key in ("code", "made_of")}, [file.with_suffix(".npz")])
    assert (tmp_path / attempts.FILE).exists()
    run(tmp_path, work, names=())
    assert f"computed before {code} was edited" in capsys.readouterr().out
    assert not list((tmp_path / "parts").iterdir())
    assert not (tmp_path / attempts.FILE).exists(), "no earlier attempt has a share in the result"
    run(tmp_path, work)
    assert work.computed == ["one", "three"] * 2
    assert (tmp_path / attempts.FILE).exists()


@pytest.mark.parametrize("suffix", [".npz", ".json"])
def test_a_damaged_part_is_computed_again(tmp_path, work, suffix):
    expected = run(tmp_path, work)
    file = tmp_path / f"parts/one{suffix}"
    file.write_bytes(file.read_bytes()[:-9])
    again = run(tmp_path, work)
    assert work.computed == ["one", "three", "one"]
    assert all(np.array_equal(again[name][key], expected[name][key]) for name in again for key in again[name])


def test_a_part_that_was_killed_before_its_index_is_computed_again(tmp_path, work):
    run(tmp_path, work)
    (tmp_path / "parts/three.json").unlink()
    run(tmp_path, work)
    assert work.computed == ["one", "three", "three"]


def test_of_a_training_the_earlier_attempts_are_kept(tmp_path, work):
    run(tmp_path, work)
    (tmp_path / "000001-abc.pth").touch()
    run(tmp_path, work, OF | {"data": "other"}, names=())
    assert (tmp_path / attempts.FILE).exists()
