"""Why a training has ended: what its error is told as."""

import os
import signal

import pytest

from workflow.core.errors import UserError
from workflow.training.resume import interrupts


@pytest.mark.parametrize(
    ("error", "workers", "said"),
    [
        (RuntimeError("DataLoader worker (pid 7) is killed. "), 2, "worker (pid 7) is killed"),
        (EOFError(), 2, "worker died"),
        (ConnectionResetError(104, "Connection reset by peer"), 1, "worker died"),
        (EOFError("No data left in file"), 0, ""),
        (EOFError("Caught EOFError in DataLoader worker process 0."), 2, ""),
        (RuntimeError("stack expects each tensor to be equal size"), 2, ""),
    ],
)
def test_which_errors_are_a_dead_process(error, workers, said):
    assert interrupts.worker_crash(error, workers).removeprefix("DataLoader ") == said


def test_a_death_that_is_reported_while_its_broken_pipe_is_explained_changes_nothing(monkeypatch):
    """torch's handler of SIGCHLD raises in whatever Python is doing."""
    fault = interrupts.shared_memory.fault

    def report(number, frame):
        raise RuntimeError("DataLoader worker (pid 7) is killed by signal: Killed. ")

    def late(error):
        os.kill(os.getpid(), signal.SIGCHLD)
        return fault(error)

    monkeypatch.setattr(interrupts.shared_memory, "fault", late)
    was = signal.signal(signal.SIGCHLD, report)
    with pytest.raises(UserError, match=r"^ssd: DataLoader worker died; "), interrupts.guard_workers("ssd", 2):
        raise ConnectionResetError(104, "Connection reset by peer")
    assert signal.signal(signal.SIGCHLD, was) is report


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("unable to allocate shared memory(shm) for file </torch_7>"), "/dev/shm is full, over which "),
        (
            EOFError(),
            "DataLoader worker died; often the machine is out of memory: fewer `workers` take less. The same ",
        ),
    ],
)
def test_without_processes_that_load_data_an_error_is_none_of_theirs(error, said):
    assert interrupts.explain(error, "ssd", 0) is None
    with pytest.raises(UserError) as told:
        interrupts.explain(error, "ssd", 1)
    assert str(told.value).startswith(f"ssd: {said}")
