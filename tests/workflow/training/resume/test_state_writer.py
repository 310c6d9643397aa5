"""States are written in a thread: what the training waits for; what a kill, a full disk or a signal then leaves."""

import concurrent.futures
import errno
import os
import shutil
import threading
import time
from collections import Counter, OrderedDict
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook

from tests.pretended_cuda.device import PINNED
from tests.pretended_cuda.runtime import pretended_cuda
from tests.workflow.training.resume.test_checkpointing import go_on, same, undisturbed  # noqa: F401 (a fixture)
from tests.workflow.training.resume.test_interrupts import ask
from tests.workflow.training.test_engine import Line, fit, outcome, run_of, task
from workflow.core.signals import Interrupted
from workflow.training.resume import checkpointing, state_writer
from workflow.training.resume.state_writer import StateWriter, host_copy


class AtStep(Hook):
    """Calls something after an iteration."""

    def __init__(self, iteration, call):
        self.iteration, self.call = iteration, call

    def after_train_iter(self, runner, *args, **kwargs):
        if runner.iter + 1 == self.iteration:
            self.call()


def slow_disk(monkeypatch, until=lambda number: time.sleep(0.05)):
    """`until(n)` is called when the n-th state is written, and neither flushed nor renamed."""
    save, calls = torch.save, []

    def slow(content, file):
        save(content, file)
        calls.append(file)
        until(len(calls))

    monkeypatch.setattr(torch, "save", slow)


def train(folder, *hooks, **recipe):
    run = run_of(**recipe)
    return outcome(fit(run, task(run), 20, folder, more=hooks))


def iterations(folder):
    return [torch.load(path)["meta"]["iter"] for path in checkpointing.states(folder)]


def save_at(monkeypatch, *moments):
    monkeypatch.setattr(
        checkpointing.ResumeCheckpointHook,
        "before_train_iter",
        lambda self, runner, *_, **__: self.save(runner) if runner.iter in moments else None,
    )


def test_a_copy_is_equal_and_shares_nothing_that_changes():
    weights = OrderedDict(a=torch.rand(2, 3, 4, 5).to(memory_format=torch.channels_last))
    weights._metadata = {"": {"version": 2}}
    content = {"w": weights, "of": [Counter({8: 2}), (1, [2.5])], "text": "x", "n": None}
    copied, a = host_copy(content), weights["a"].clone()
    assert list(copied) == list(content)
    assert copied["w"]._metadata == weights._metadata
    assert copied["w"]["a"].stride() == weights["a"].stride()
    assert (copied["of"], type(copied["of"][0])) == (content["of"], Counter)
    weights["a"].zero_()
    content["of"][0][8] += 1
    content["of"][1][1].append(3)
    assert torch.equal(copied["w"]["a"], a)
    assert copied["of"] == [Counter({8: 2}), (1, [2.5])]


def test_the_copy_of_a_device_waits_for_no_tensor():
    with pretended_cuda() as device:
        content = {"w": torch.rand(3, device="cuda"), "n": torch.zeros(())}
        device.costs.clear()
        copied = host_copy(content)
        assert not device.costs.waits
        assert device.memory.place(copied["w"]) == PINNED


def test_iterations_go_on_while_a_state_is_written(undisturbed, tmp_path, monkeypatch):  # noqa: F811
    """It is that of the iteration at whose beginning it was taken, though the weights have moved on."""
    later = threading.Event()
    with monkeypatch.context() as patched:
        save_at(patched, 3)
        slow_disk(patched, lambda number: number > 1 or later.wait(60) or pytest.fail("the training waited"))
        patched.setattr(checkpointing.ResumeCheckpointHook, "after_train", lambda self, runner: self.writer.wait())
        train(tmp_path, AtStep(5, later.set))
    assert iterations(tmp_path) == [3]
    assert same(go_on(tmp_path), undisturbed)


def test_two_states_are_never_written_at_a_time(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    active, most, write = [], [], state_writer.write_state

    def watched(*arguments):
        active.append(1)
        most.append(len(active))
        write(*arguments)
        active.pop()

    monkeypatch.setattr(state_writer, "write_state", watched)
    slow_disk(monkeypatch)
    train(tmp_path)
    assert most == [1] * 12
    assert iterations(tmp_path) == [11, 12]


def test_a_kill_while_a_state_is_written_leaves_the_one_before(undisturbed, tmp_path, monkeypatch):  # noqa: F811
    """What lies there three iterations after the second state was taken, and before its file is flushed."""
    written, killed, dead = threading.Event(), threading.Event(), tmp_path / "dead/state"

    def kill():
        assert written.wait(60)
        shutil.copytree(tmp_path / "state", dead)
        os.truncate(dead / "state.part", 1000)  # of what was not flushed, any part
        killed.set()

    with monkeypatch.context() as patched:
        save_at(patched, 2, 4)
        slow_disk(patched, lambda number: number != 2 or (written.set(), killed.wait(60)))
        train(tmp_path / "state", AtStep(7, kill), eval_interval=0)
    assert iterations(dead) == [2]
    assert same(go_on(dead), undisturbed)
    assert not (dead / "state.part").exists()


@pytest.mark.parametrize(
    ("to", "number", "file"), [("/dev/full", errno.ENOSPC, None), ("/proc/no/such", errno.ENOENT, "state.part")]
)
def test_what_cannot_be_written_ends_the_training_in_its_next_iteration(to, number, file, tmp_path, monkeypatch):
    """The next state would be written much later, by a clock that ticks once an iteration."""
    clock, check = [0.0], StateWriter.check

    def check_when_written(self):
        concurrent.futures.wait([self.pending] if self.pending else [])
        check(self)

    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 3)
    monkeypatch.setattr(checkpointing, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(StateWriter, "check", check_when_written)
    (tmp_path / "state.part").symlink_to(to)
    with pytest.raises(OSError, match=os.strerror(number)) as error:
        train(tmp_path, *(AtStep(n, lambda n=n: clock.append(clock.pop() + 1)) for n in range(1, 13)), eval_interval=0)
    assert (error.value.errno, error.value.filename) == (number, file and str(tmp_path / file))
    assert clock == [4]
    assert not checkpointing.states(tmp_path)
    assert not list(tmp_path.glob("*.part"))


@pytest.mark.parametrize("iteration", [5, 11])
def test_a_full_disk_is_raised_before_an_evaluation_and_at_the_end(iteration, tmp_path, monkeypatch):
    save_at(monkeypatch, iteration - 1)
    monkeypatch.setattr(StateWriter, "check", lambda self: None)
    (tmp_path / "state.part").symlink_to("/dev/full")
    reached = []
    with pytest.raises(OSError, match="No space left"):
        train(tmp_path, *(AtStep(n, lambda n=n: reached.append(n)) for n in range(1, 13)))
    assert reached[-1] == (5 if iteration == 5 else 12)


def test_a_signal_while_a_state_is_written_keeps_both(undisturbed, tmp_path, monkeypatch):  # noqa: F811
    with monkeypatch.context() as patched:
        save_at(patched, 3)
        slow_disk(patched)
        ask(patched, (Line, "forward"), 4)
        with pytest.raises(Interrupted, match="kept its state of iteration 4 of 12"):
            train(tmp_path)
    assert iterations(tmp_path) == [3, 4]
    assert same(go_on(tmp_path), undisturbed)


def test_a_training_that_fails_writes_to_its_end(tmp_path, monkeypatch):
    """Its folder is unlocked then."""
    save_at(monkeypatch, 3)
    slow_disk(monkeypatch)
    with pytest.raises(ZeroDivisionError):
        train(tmp_path, AtStep(4, lambda: 1 / 0))
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("state")]
    assert iterations(tmp_path) == [3]
