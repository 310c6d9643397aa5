"""What asks a process to end, and what it hears afterwards."""

import signal
import threading

import pytest

from tests.workflow.training.test_engine import fit, run_of, task
from workflow.core.signals import ASKING, Interrupted, handling, leave_to_parent, stop_now


def handlers():
    return [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]


def test_signals_are_as_before_when_a_training_has_ended(tmp_path):
    before = handlers()
    with handling(stop_now):
        run = run_of()
        fit(run, task(run), 20, tmp_path)
        assert handlers() == [stop_now, stop_now]
    assert handlers() == before != [stop_now, stop_now]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_whoever_is_asked_stops_with_the_shell_s_status_and_signals_are_as_before(number):
    before = handlers()
    with pytest.raises(Interrupted) as stopped, handling(stop_now):
        signal.raise_signal(number)
    assert handlers() == before
    assert stopped.value.status == 128 + number
    assert not isinstance(stopped.value, Exception), "which a library may catch"
    assert str(stopped.value) == f"by {number.name}: what it had not finished is done again by the same command"


def test_a_thread_changes_no_handler():
    before, inside = handlers(), []

    def run():
        with handling(stop_now):
            inside.extend(handlers())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert inside == before


def test_a_helping_process_hears_nothing_and_asks_to_die_with_its_parent(monkeypatch):
    before, calls = handlers(), []
    monkeypatch.setattr("workflow.core.signals.die_with_parent", lambda: calls.append(handlers()))
    leave_to_parent()
    for number, was in zip(ASKING, before, strict=True):
        signal.signal(number, was)
    assert calls == [[signal.SIG_IGN, signal.SIG_IGN]]
