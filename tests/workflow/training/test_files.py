"""Law 4: nothing half-done looks done."""

import pytest

from workflow.training.files import atomic, digest, read_json, sha256, write_json


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "new folder" / "a.json"
    write_json(target, {"x": 1})
    with pytest.raises(RuntimeError, match="stop"), atomic(target) as temporary:
        temporary.write_text("half")
        raise RuntimeError("stop")
    assert read_json(target) == {"x": 1}
    assert list(target.parent.iterdir()) == [target]


def test_not_a_number_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_digest_ignores_the_order_of_keys_and_nothing_else():
    assert digest({"a": 1, "b": [1, 2]}) == digest({"b": [1, 2], "a": 1})
    assert len({digest(x) for x in ({"a": 1}, {"a": "1"}, {"a": 1.5}, {"b": 1}, {"a": [1]})}) == 5


def test_sha256_is_the_files(tmp_path):
    (tmp_path / "x").write_bytes(b"abc")
    assert sha256(tmp_path / "x").startswith("ba7816bf8f01cfea")
