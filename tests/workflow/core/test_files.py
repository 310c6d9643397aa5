"""Law 4: nothing half-done looks done."""

import os
from pathlib import Path

import pytest

from workflow.core.errors import UserError
from workflow.core.files import (
    atomic,
    digest,
    hashed,
    listing,
    published,
    read_hashed,
    read_json,
    sha256,
    short,
    write_hashed,
    write_json,
)


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    target = tmp_path / "new folder/in it" / "a.json"
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


def test_what_is_renamed_is_on_the_disk_already(tmp_path, monkeypatch):
    """Without, a machine that dies could leave a file of the right name and no content."""
    order, flush, replace = [], os.fsync, Path.replace

    def flushed(number):
        order.append(("flushed", Path(f"/proc/self/fd/{number}").read_text()))
        flush(number)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(Path, "replace", lambda self, to: order.append(("renamed", to.name)) or replace(self, to))
    with atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("content")
    assert order == [("flushed", "content"), ("renamed", "a.txt")]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not valid JSON: "),
        (b'{"a": NaN, "b": 1}', "not valid JSON: NaN is not a JSON number"),
        (b'"\xff"', "not valid JSON: "),
        (b"[" * 100_000, "not valid JSON: "),
        (b'{"a": 1}', "it has no 'b'"),
        (b'["a", "b"]', "it has no 'a'"),
    ],
)
def test_what_is_no_json_or_lacks_a_key_is_named(content, said, tmp_path):
    (tmp_path / "a.json").write_bytes(content)
    with pytest.raises(UserError) as error:
        read_json(tmp_path / "a.json", "a", "b")
    assert str(error.value).startswith(f"{tmp_path / 'a.json'}: {said}")


def test_a_pipe_a_folder_and_what_is_not_there_are_refused(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for name, said in (("pipe", "not a regular file"), ("absent", "No such file"), (".", "Is a directory")):
        with pytest.raises(UserError, match=f": {said}"):
            read_json(tmp_path / name)


def test_each_file_beside_a_hashed_one_is_as_it_was_written(tmp_path):
    """The fault names the file, and what has to be removed."""
    files, path = [tmp_path / "b.bin", tmp_path / "c.bin"], tmp_path / "a.json"
    for file in files:
        file.write_bytes(b"content")
    write_hashed(path, {"x": 1}, files)
    found = read_hashed(path, "x")
    assert found["files"] == dict.fromkeys(("b.bin", "c.bin"), sha256(files[0]))
    assert "files" not in hashed({"x": 1})
    files[1].write_bytes(b"other")
    again = "damaged: its content is not what was written; remove {}, and the same command makes it again"
    with pytest.raises(UserError) as error:
        read_hashed(path, "x")
    assert str(error.value) == f"{files[1]}: {again.format(path)}"
    files[0].unlink()
    with pytest.raises(UserError) as error:
        read_hashed(path, whole=tmp_path)
    assert str(error.value) == f"{files[0]} is missing; remove {tmp_path}, and the same command makes it again"
    write_json(path, found | {"x": 2})
    with pytest.raises(UserError) as error:
        read_hashed(path)
    assert str(error.value) == f"{path}: {again.format(path)}"


def test_what_a_run_has_published_and_what_a_folder_holds_are_sorted(tmp_path):
    for name in ("b.txt", "a.txt", ".a.part", "metrics.json", "log.txt", "x/c.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    assert [path.name for path in published(tmp_path)] == ["a.txt", "b.txt"]
    names = [".a.part", "a.txt", "b.txt", "log.txt", "metrics.json", "x/c.txt"]
    assert listing(tmp_path) == [(name, len(name)) for name in names]
    assert listing(tmp_path / "absent") == []
    assert short({"a": 1}) == digest({"a": 1})[:10]
