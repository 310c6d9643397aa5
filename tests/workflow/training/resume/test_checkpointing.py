"""The resume state: its checksum, the state before it, what a kill leaves, the lock."""

import contextlib
import errno
import os
import re
import socket
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from tests.killed import Killed
from tests.workflow.training.test_engine import die_after, fit, outcome, run_of, task
from workflow.core.errors import UserError
from workflow.training.resume import checkpointing


@pytest.fixture
def killed(tmp_path, monkeypatch):
    """Train until iteration 7 has begun, saving before each; returns the folder."""
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    die_after(7, run_of(), tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = run_of()
    return outcome(fit(run, task(run), 20, tmp_path_factory.mktemp("whole")))


def go_on(folder: Path):
    run = run_of()
    return outcome(fit(run, task(run), 20, folder))


def same(one, other):
    return all(torch.equal(a, b) for a, b in zip(one[0], other[0], strict=True)) and one[1:] == other[1:]


def truncate(path):
    os.truncate(path, path.stat().st_size // 2)


def garble(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def empty(path):
    os.truncate(path, 0)


def test_two_are_kept_and_load_without_unpickling_code(killed):
    found = checkpointing.states(killed)
    assert [path.name[:7] for path in found] == ["000006-", "000007-"]
    assert [torch.load(path, weights_only=True)["meta"] for path in found] == [{"iter": n, "epoch": 0} for n in (6, 7)]
    assert not list(killed.glob("*.part"))


def lose(path):
    """A disk that fails: the file cannot be read."""
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize("harm", [truncate, garble, empty, lose])
def test_a_broken_state_is_noticed_and_the_one_before_it_used(harm, killed, undisturbed, capsys):
    harm(checkpointing.states(killed)[-1])
    assert same(go_on(killed), undisturbed)
    said = capsys.readouterr().out
    assert "is broken, its checksum is another; the one before it is tried" in said
    assert "resumed at iteration 6 of 12" in said
    assert len(list(killed.glob("*.broken"))) == 1


def test_no_state_that_is_whole_is_a_start_from_the_beginning(killed, undisturbed, capsys):
    for path in checkpointing.states(killed):
        garble(path)
    assert same(go_on(killed), undisturbed)
    said = capsys.readouterr().out
    assert "there is none before it: from the beginning" in said
    assert "resumed" not in said


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_kill_around_the_rename_leaves_whole_states(moment, tmp_path, undisturbed, monkeypatch):
    """Before the rename: the new one is not there. After it, and before the oldest is removed: one more is there."""
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    replace = Path.replace

    def die(self, target):
        if target.name.startswith("000005-"):
            if moment == "after":
                replace(self, target)
            os.link(target if moment == "after" else self, self.with_name("kept"))  # a killed process removes nothing
            raise Killed
        return replace(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "replace", die)
        with pytest.raises(Killed):
            go_on(tmp_path)
    (tmp_path / "kept").rename(tmp_path / "state.part")
    assert [path.name[:6] for path in checkpointing.states(tmp_path)] == ["000003", "000004", "000005"][
        : 3 if moment == "after" else 2
    ]
    assert same(go_on(tmp_path), undisturbed)
    assert len(checkpointing.states(tmp_path)) == 2
    assert not (tmp_path / "state.part").exists()


@pytest.mark.parametrize(("patience", "saved"), [(3.0, [3, 6, 9, 12]), (3.5, [4, 8, 12])])
def test_a_state_is_written_so_many_seconds_after_the_one_before_and_at_the_end(patience, saved, tmp_path, monkeypatch):
    """By a clock that ticks once an iteration."""
    clock, iterations, save = [0.0], [], checkpointing.ResumeCheckpointHook.save
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", patience)
    monkeypatch.setattr(checkpointing, "time", SimpleNamespace(monotonic=lambda: clock[0]))

    def watched(self, runner):
        save(self, runner)
        iterations.append(runner.iter)

    class Tick(Hook):
        def after_train_iter(self, *args, **kwargs):
            clock[0] += 1

    monkeypatch.setattr(checkpointing.ResumeCheckpointHook, "save", watched)
    run = run_of()
    fit(run, task(run), 20, tmp_path, more=[Tick()])
    assert iterations == saved


def test_a_save_that_fails_leaves_its_room_and_the_states(killed, monkeypatch):
    before = checkpointing.states(killed)

    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            go_on(killed)
    assert checkpointing.states(killed) == before
    assert not list(killed.glob("*.part"))


def test_a_failure_leaves_its_reason_and_success_leaves_nothing(tmp_path):
    folder, out = tmp_path / "deep/work/state", tmp_path / "out"
    out.mkdir()
    (out / ".metrics.json.123.part").touch()
    (out / "metrics.json").touch()
    with pytest.raises(UserError), checkpointing.run_context(folder, out, {}):
        raise UserError("the disk\nis full")
    assert re.fullmatch(r"\d{4}-\d\d-\d\d \d\d:\d\d UserError: the disk is full\n", (folder / "error.txt").read_text())
    assert [path.name for path in out.iterdir()] == ["metrics.json"]
    with checkpointing.run_context(folder, out, {}):
        assert not (folder / "error.txt").exists()
    assert [path.name for path in (tmp_path / "deep/work").iterdir()] == ["state.done"]


def test_a_finished_training_holds_no_file_of_its_state_open(tmp_path):
    go_on(tmp_path)
    opened = [path.resolve() for path in Path("/proc/self/fd").iterdir()]
    assert opened
    assert not [path for path in opened if path.is_relative_to(tmp_path)]


def test_a_state_that_cannot_be_removed_does_not_fail_the_run(tmp_path, monkeypatch):
    def busy(path, *args, **kwargs):
        raise OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY), path)

    with checkpointing.run_context(tmp_path / "state", tmp_path, {}):
        monkeypatch.setattr(os, "rmdir", busy)
    assert (tmp_path / "state.gone").is_dir()


def test_a_file_system_without_locks_is_said(tmp_path, monkeypatch):
    def unknown(file, how):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(checkpointing.fcntl, "flock", unknown)
    said = r"s.lock: this file system gives no locks \(flock\): No locks available"
    with pytest.raises(UserError, match=said), checkpointing.lock(tmp_path / "s"):
        pass


def test_one_process_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_OF_PATIENCE", 0)
    me = f"process {os.getpid()} of user {os.geteuid()} on {socket.gethostname()}"
    with (
        checkpointing.lock(tmp_path / "s"),
        pytest.raises(
            UserError, match=re.escape(f"/s: another process trains this run ({me}); wait for it, or end it")
        ),
        checkpointing.lock(tmp_path / "s"),
    ):
        pass
    with checkpointing.lock(tmp_path / "s"):
        pass


@pytest.mark.parametrize("key", ["data", "backbone", "features", "vocabulary", "anything"])
def test_a_state_of_other_data_or_another_backbone_is_not_gone_on_with(key, tmp_path, capsys):
    folder, of = tmp_path / "state", {"recipe": "r", "data": "d", "backbone": "b", "libraries": {"torch": "2"}}
    of |= dict.fromkeys(("features", "vocabulary", "anything"), "made once")

    def attempt(of):
        with contextlib.suppress(Killed), checkpointing.run_context(folder, tmp_path, of):
            (folder / "seen").touch(exist_ok=False)
            raise Killed

    attempt(of)
    with pytest.raises(FileExistsError):
        attempt(of | {"libraries": {"torch": "3"}})
    with pytest.raises(FileExistsError):
        attempt(dict(reversed(of.items())))
    assert "from the beginning" not in capsys.readouterr().out
    attempt(of | {key: "other"})
    assert "begun with other data or another backbone; from the beginning" in capsys.readouterr().out


def test_whoever_waits_goes_on_when_the_other_has_ended(tmp_path):
    order, folder = [], tmp_path / "s"

    def second():
        with checkpointing.run_context(folder, tmp_path, {}):
            order.append("second")

    with checkpointing.run_context(folder, tmp_path, {}):
        thread = threading.Thread(target=second)
        thread.start()
        time.sleep(0.2)
        order.append("first")
    thread.join()
    assert order == ["first", "second"]
    assert not folder.exists()
    assert not folder.with_name("s.lock").exists()
