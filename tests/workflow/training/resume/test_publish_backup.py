"""What a finished run keeps until Snakemake has noted it."""

import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from workflow.core.code_hash import hashes
from workflow.core.errors import UserError
from workflow.core.files import write_record_file
from workflow.training.resume import checkpointing, publish_backup

OF = {"recipe": "r", "backbone": None, "data": "d", "libraries": {"torch": "2"}}


def publish(folder: Path, out: Path, of: dict = OF) -> None:
    """A run from its beginning to its end; its record has the hash of its own weights."""
    with checkpointing.run_context(folder, out, of):
        (folder / "000001-x.pth").touch()
        out.mkdir(exist_ok=True)
        (out / "weights").write_text("w")
        write_record_file(out, {"provenance": {"code_files": hashes()} | of | {"backbone": of["backbone"] or "own"}})
        (out / "log.txt").touch()


def removed(out: Path) -> Path:
    """As Snakemake does with what it has not noted; another kill may have left something."""
    shutil.rmtree(out)
    out.mkdir()
    (out / f".weights.{os.getpid()}.part").touch()
    return out


@pytest.fixture
def places(tmp_path):
    return tmp_path / "work/state", tmp_path / "out"


def test_it_is_put_back_and_trains_nothing(places, capsys):
    folder, out = places
    publish(folder, out)
    os.utime(out / "weights", (1, 1))
    folder.mkdir()  # killed before it was removed
    with pytest.raises(SystemExit) as ended, checkpointing.run_context(folder, removed(out), OF):
        raise AssertionError("nothing is trained")
    assert ended.value.code == 0
    assert "was finished before; its files are put back, nothing is trained" in capsys.readouterr().out
    assert sorted(path.name for path in out.iterdir()) == ["metrics.json", "weights"]
    assert (out / "weights").read_text() == "w"
    assert (out / "weights").stat().st_mtime > 1e9, "newer than what it was made of"
    assert not folder.exists()
    assert not folder.with_name("state.lock").exists()


@pytest.mark.parametrize("key", ["recipe", "backbone", "data", "libraries"])
def test_of_anything_else_it_is_not_put_back(key, places):
    folder, out = places
    other = {"torch": "3"} if key == "libraries" else "other"
    publish(folder, out)
    publish(folder, removed(out), OF | {key: other})
    with pytest.raises(SystemExit):  # what was made anew has taken its place
        publish(folder, removed(out), OF | {key: other})


def test_of_other_code_it_is_not_put_back(places):
    folder, out = places
    publish(folder, out, OF | {"code_files": {**hashes(), "workflow/core/rng.py": "another"}})
    publish(folder, removed(out))
    publish(folder, removed(out), OF | {"code_files": {**hashes(), "workflow/gone.py": "removed"}})
    publish(folder, removed(out))


def test_what_is_not_whole_is_not_put_back(places):
    folder, out = places
    publish(folder, out)
    (folder.with_name("state.done") / "metrics.json").unlink()
    publish(folder, removed(out))
    (folder.with_name("state.done") / "metrics.json").write_text("{")
    publish(folder, removed(out))


@pytest.mark.parametrize("damage", ["weights", "metrics.json", "more", "less"])
def test_what_is_damaged_is_not_put_back(damage, places, capsys):
    folder, out = places
    publish(folder, out)
    done = folder.with_name("state.done")
    if damage == "less":
        (done / "weights").unlink()
    elif damage == "metrics.json":
        (done / damage).write_text((done / damage).read_text().replace("own", "another's"))
    else:
        (done / damage).write_text("damaged")
    publish(folder, removed(out))
    name = "weights" if damage == "less" else damage
    assert f"{done / name} is not as it was published: the run is made again" in capsys.readouterr().out
    assert (out / "weights").read_text() == "w"


def test_it_takes_no_room_and_is_tidied(places):
    folder, out = places
    publish(folder, out)
    assert (out / "weights").stat().st_nlink == 2
    folder.with_name("state.gone").mkdir()
    folder.with_name("state.part").mkdir()
    publish_backup.remove_backups([str(folder), str(folder.with_name("another"))])
    assert not list(folder.parent.iterdir())


def test_a_disk_without_links_ends_as_well(places, monkeypatch):
    def none(*args):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", none)
    publish(*places)
    assert not places[0].exists()
    assert not places[0].with_name("state.done").exists()


def test_what_cannot_be_removed_at_once_is_no_failure(places, monkeypatch):
    """As a file that is still open, on NFS; a kill in the midst of it leaves no half of a state."""
    monkeypatch.setattr(os, "rmdir", lambda *args, **kwargs: (_ for _ in ()).throw(OSError(39, "Directory not empty")))
    publish(*places)
    monkeypatch.undo()
    assert not places[0].exists()
    assert places[0].with_name("state.gone").exists()


def test_whoever_waited_for_the_same_run_elsewhere_trains_nothing(tmp_path, capsys):
    """Two folders of work whose `results` is one, as a link."""
    (tmp_path / "shared").mkdir()
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "results").symlink_to(tmp_path / "shared")
    trained = []

    def run(name):
        folder = tmp_path / name
        with checkpointing.run_context(folder / ".work/state", folder / "results/p0s0", OF):
            trained.append(name)
            time.sleep(0.5 if name == "one" else 0)
            (folder / "results/p0s0").mkdir(exist_ok=True)
            (folder / "results/p0s0/weights").write_text("w")
            made = {"code_files": hashes()} | OF | {"backbone": "own"}
            write_record_file(folder / "results/p0s0", {"provenance": made})

    first = threading.Thread(target=run, args=["one"])
    first.start()
    while not trained:
        time.sleep(0.01)
    with pytest.raises(SystemExit) as ended:
        run("two")
    first.join()
    assert ended.value.code == 0
    assert trained == ["one"]
    assert "another process has finished this run meanwhile" in capsys.readouterr().out
    assert [path.name for path in (tmp_path / "shared").iterdir()] == ["p0s0"], "no lock is left"
    run("two")
    assert trained == ["one", "two"], "whoever did not wait was asked to make it again"


def test_a_lock_says_whose_it_is_survives_what_snakemake_removes_and_ends_with_its_process(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_OF_PATIENCE", 0)
    out = tmp_path / "results/p0s0"
    code = f"""
import time
from pathlib import Path
from workflow.training.resume import checkpointing as state
with state.lock_run(Path({str(tmp_path / "one/state")!r}), Path({str(out)!r})):
    print("held", flush=True)
    time.sleep(1e6)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout.readline() == "held\n"
        out.mkdir()
        shutil.rmtree(out)  # as Snakemake does with a declared folder
        who = re.escape(f"(process {other.pid} of user {os.geteuid()} on {socket.gethostname()})")
        with (
            pytest.raises(UserError, match=f"another process trains this run {who}"),
            checkpointing.lock_run(tmp_path / "two/state", out),
        ):
            pass
        other.kill()
    with checkpointing.lock_run(tmp_path / "two/state", out) as waited:
        assert not waited
    assert not list((tmp_path / "results").iterdir())


@pytest.mark.parametrize("record", [None, "{", "[]", "{}", '{"provenance": {}, "files": {}, "sha256": "x"}'])
def test_a_broken_record_is_that_of_no_finished_run(record, tmp_path):
    (tmp_path / "state").mkdir()
    if record is not None:
        (tmp_path / "metrics.json").write_text(record)
    assert publish_backup.is_published(tmp_path / "state", tmp_path, {}) is False
    assert (tmp_path / "state").is_dir()
