"""A training that ends before its time: by a signal, by its loss, by a process that dies."""

import contextlib
import os
import shlex
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.registry import DATASETS

from tests.waiting import children, gone, read_line
from tests.workflow.training.test_engine import Line, MeanError, Points, fit, outcome, run_of, task
from workflow.core.errors import UserError, cli_entry_point
from workflow.core.job_environment import SHELL
from workflow.core.signals import Interrupted, handling
from workflow.training.resume import checkpointing, interrupts
from workflow.training.seeding import ResumableSampler, SeededDataset

PROJECT = Path(__file__).parents[4]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    run = run_of()
    return outcome(fit(run, task(run), 20, tmp_path_factory.mktemp("whole")))


def ask(monkeypatch, where, call, number=signal.SIGTERM):
    """Send this process a signal in the `call`-th call of a method."""
    owner, method = where
    real, calls = getattr(owner, method), []

    def asking(*args, **kwargs):
        calls.append(1)
        if len(calls) == call:
            os.kill(os.getpid(), number)
        return real(*args, **kwargs)

    monkeypatch.setattr(owner, method, asking)


WHERE = {
    "waiting for data": ((Points, "__getitem__"), 4 * 6 + 2, 6),
    "in a step": ((Line, "forward"), 4, 4),
    "in the step before an evaluation": ((Line, "forward"), 5, 5),
    "in an evaluation": ((MeanError, "process"), 3, 5),
    "in the metrics": ((MeanError, "compute_metrics"), 1, 5),
    "in the last step": ((Line, "forward"), 12 + 2 * 5, 12),
    "in the last evaluation": ((MeanError, "compute_metrics"), 3, 12),
}


@pytest.mark.parametrize(
    ("when", "number"), [*((when, signal.SIGTERM) for when in WHERE), ("in a step", signal.SIGINT)]
)
def test_asked_to_end_it_keeps_its_state_and_goes_on_there(when, number, undisturbed, tmp_path, monkeypatch, capsys):
    where, call, iteration = WHERE[when]
    run = run_of()
    with monkeypatch.context() as patched:
        ask(patched, where, call, number)
        with pytest.raises(Interrupted) as stopped:
            fit(run, task(run), 20, tmp_path)
    assert torch.autocast_increment_nesting() == 1, "no autocast is left open"
    torch.autocast_decrement_nesting()
    assert stopped.value.status == 128 + number
    assert f"has kept its state of iteration {iteration} of 12" in str(stopped.value)
    capsys.readouterr()
    tensors, points, evaluations = outcome(fit(run, task(run), 20, tmp_path))
    assert f"resumed at iteration {iteration} of 12" in capsys.readouterr().out
    assert all(torch.equal(a, b) for a, b in zip(tensors, undisturbed[0], strict=True))
    assert (points, evaluations) == undisturbed[1:]


def test_asked_again_while_it_saves_it_still_saves(tmp_path, monkeypatch):
    run = run_of()
    ask(monkeypatch, (Line, "forward"), 4)
    ask(monkeypatch, (torch, "save"), 1)
    with pytest.raises(Interrupted):
        fit(run, task(run), 20, tmp_path)
    assert len(checkpointing.states(tmp_path)) == 1
    assert not list(tmp_path.glob("*.part"))


def test_several_processes_hear_no_signal_while_they_evaluate():
    """It ends them at once; one that came just before ends them too."""
    of_several, numbers = interrupts.StopOnSignalHook(), (signal.SIGTERM, signal.SIGINT)
    of_several.group = "of processes"
    with handling(of_several.ask):
        of_several.before_val_epoch(None)
        assert [signal.getsignal(number) for number in numbers] == [signal.SIG_DFL] * 2
        of_several.after_val_epoch(None)
        assert [signal.getsignal(number) for number in numbers] == [of_several.ask] * 2
        of_several.asked = signal.SIGTERM
        with pytest.raises(Interrupted):
            of_several.before_val_epoch(None)


def test_a_loss_that_is_not_finite_is_named_and_not_tried_again(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    run, folder = run_of(eval_interval=0), tmp_path / "state"
    batches = list(map(ResumableSampler(range(20), 4, run.seed).batch_of, range(12)))
    seen = [index for batch in batches[:3] for index in batch]
    broken = next(index for index in range(20) if index not in seen)
    iteration = next(i for i, batch in enumerate(batches) if broken in batch)
    with pytest.raises(UserError) as first, checkpointing.run_context(folder, tmp_path, {}):
        fit(run, task(run, broken=broken), 20, folder)
    assert f"not finite at iteration {iteration + 1} (learning rate 0.0" in (said := str(first.value))
    assert "on " + ", ".join(f"photo{index}.jpg" for index in batches[iteration]) in said
    assert "nothing is published" in said
    assert len(checkpointing.states(folder)) == 2
    for path in checkpointing.states(folder):
        content = torch.load(path, weights_only=False)
        assert content["meta"]["iter"] <= iteration
        assert all(value.isfinite().all() for value in content["state_dict"].values())
    assert interrupts.diverged(folder).read_text().splitlines()[1:] == [f"photo{i}.jpg" for i in batches[iteration]]
    with pytest.raises(UserError) as second, checkpointing.run_context(folder, tmp_path, {}):
        raise AssertionError("nothing is trained")
    assert str(second.value) == said
    assert said[:200] in (folder / "error.txt").read_text()
    interrupts.diverged(folder).unlink()  # as the message says
    with checkpointing.run_context(folder, tmp_path, {}):
        fit(run, task(run), 20, folder)


def test_no_step_follows_a_loss_that_is_not_finite(tmp_path, monkeypatch):
    """On a CPU, where a look at it takes no time."""
    run, modes, forward = run_of(eval_interval=0), [], Line.forward

    def counting(self, x, y, mode="tensor"):
        modes.append(mode)
        return forward(self, x, y, mode)

    monkeypatch.setattr(Line, "forward", counting)
    broken = ResumableSampler(range(20), 4, run.seed).batch_of(2)[0]
    with pytest.raises(UserError, match="not finite at iteration 3 "):
        fit(run, task(run, broken=broken), 20, tmp_path)
    assert modes == ["loss"] * 3


@pytest.mark.parametrize(("batch", "shown"), [(7, 7), (8, 8), (9, 8), (12, 8)])
def test_eight_files_of_a_batch_are_shown_and_all_are_kept(batch, shown, tmp_path):
    loader = SimpleNamespace(dataset=SeededDataset(Points(), 1), sampler=ResumableSampler(range(20), batch, 1))
    names = [f"photo{index}.jpg" for index in loader.sampler.batch_of(0)]
    with pytest.raises(UserError) as error:
        interrupts.CheckFiniteLossHook("ssd", tmp_path).fail(SimpleNamespace(train_dataloader=loader), 0, 0.0123)
    more = f" and {batch - shown} more" if batch > shown else ""
    said = f"ssd: the loss is not finite at iteration 1 (learning rate 0.012), on {', '.join(names[:shown])}{more}; "
    assert str(error.value).startswith(said)
    assert interrupts.diverged(tmp_path).read_text().splitlines() == [str(error.value), *names]


def test_half_a_reason_is_none(tmp_path, monkeypatch):
    """A full disk, or a kill, while it is written: the next attempt would have nothing to say."""
    run = run_of(eval_interval=0)

    def full(*args):
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"), checkpointing.run_context(tmp_path / "state", tmp_path, {}):
        monkeypatch.setattr(os, "fsync", full)
        fit(run, task(run, broken=0), 20, tmp_path / "state")
    assert not interrupts.diverged(tmp_path / "state").exists()


@pytest.mark.parametrize("saved_every", [0, 60])
def test_losses_that_are_checked_together_name_the_right_iteration(saved_every, tmp_path, monkeypatch):
    """As on a GPU, where a look at each loss would cost time: a state is written only after a look."""
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", saved_every)
    monkeypatch.setattr(
        interrupts.CheckFiniteLossHook, "before_train", lambda self, runner: setattr(self, "together", 10)
    )
    run = run_of(eval_interval=0)
    batches = [ResumableSampler(range(20), 4, run.seed).batch_of(iteration) for iteration in range(5)]
    with pytest.raises(UserError, match="not finite at iteration 4 "):
        fit(run, task(run, broken=batches[3][0]), 20, tmp_path)
    found = [torch.load(path, weights_only=False)["meta"]["iter"] for path in checkpointing.states(tmp_path)]
    assert found == ([2, 3] if saved_every == 0 else [])


class Slow(Points):
    """Each sample takes a while, and there is no end."""

    def __getitem__(self, index):
        time.sleep(0.02)
        return super().__getitem__(index)


DATASETS.register_module(module=Slow)


@cli_entry_point
def long_run():
    """In a process of its own, with two that load its data; the folder is the last word of the command line."""
    run = replace(run_of(iterations=100_000, eval_interval=0), workers=2)
    plan, folder = task(run), Path(sys.argv[-1])
    plan["train_dataloader"]["dataset"]["dataset"] = {"type": "Slow"}
    with checkpointing.run_context(folder / "state", folder, {}):
        fit(run, plan, 20, folder / "state")


@pytest.fixture
def started(tmp_path):
    """A training as a rule starts it, in a group of its own: (the shell, its training, those that load the data)."""
    say = "from tests.workflow.training.resume.test_interrupts import long_run; long_run()"
    call = shlex.join([sys.executable, "-uc", say, str(tmp_path)])
    shell = subprocess.Popen(
        ["bash", "-c", f"{SHELL} {call} 2>&1 | keep {shlex.quote(str(tmp_path / 'log'))}"],
        cwd=PROJECT, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    try:
        read_line(shell, " ETA ")
        [training] = [each for each in children(shell.pid) if children(each)]
        yield shell, training, children(training)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(shell.pid, signal.SIGKILL)
        shell.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_to_all_processes_of_a_job_leaves_its_state_and_its_last_words(number, started, tmp_path):
    """As Slurm and a terminal send it: to the shell, the training, those that load its data, and the log's `tee`."""
    shell, training, loading = started
    os.killpg(shell.pid, number)
    said = shell.communicate(timeout=300)[0]
    assert shell.returncode == 128 + number
    last = said.splitlines()[-1]
    assert last.startswith(f"stopped by {number.name}: ssd_voc cutmix p0s1 has kept its state of iteration ")
    assert (tmp_path / "log").read_text().splitlines()[-1] == last
    assert len(checkpointing.states(tmp_path / "state")) == 1
    assert gone([training, *loading])
    assert not (tmp_path / "state.lock").exists()


def test_a_process_that_loads_data_and_dies_is_said_at_once(started, tmp_path):
    shell, training, loading = started
    os.kill(loading[1], signal.SIGKILL)
    last = shell.communicate(timeout=300)[0].splitlines()[-1]
    assert shell.returncode == 1
    assert last.startswith("error: ssd_voc cutmix p0s1: DataLoader worker ")
    assert "DataLoader worker" in (tmp_path / "state/error.txt").read_text()
    assert gone([training, *loading])


class Keeper(Hook):
    """Holds the loaders to the very end, as the traceback of an error does."""

    def after_train(self, runner):
        sys.runner = runner


@cli_entry_point
def kept_run():
    run = replace(run_of(eval_interval=0), workers=2)
    plan = task(run)
    plan["train_dataloader"]["persistent_workers"] = True
    fit(run, plan, 20, Path(sys.argv[-1]), more=[Keeper()])


def test_a_process_ends_though_something_still_holds_its_loaders(tmp_path):
    """Those that load the data do not hear the SIGTERM with which multiprocessing asks them to end."""
    say = "from tests.workflow.training.resume.test_interrupts import kept_run; kept_run()"
    (temporary := tmp_path / "temporary").mkdir()
    quiet = "ignore:This DataLoader will create 2 worker processes"  # on a machine of one core
    env = os.environ | {"TMPDIR": str(temporary), "PATH": str(tmp_path), "PYTHONWARNINGS": quiet}  # no compiler
    call = [sys.executable, "-c", say, str(tmp_path)]
    done = subprocess.run(call, cwd=PROJECT, env=env, capture_output=True, text=True, timeout=300, check=True)
    assert done.stderr == ""
    assert not list(temporary.glob("pymp-*")), "what processes hand data over by"


def test_a_training_that_is_killed_takes_along_what_loads_its_data(started):
    shell, training, loading = started
    os.kill(training, signal.SIGKILL)
    shell.communicate(timeout=300)  # they hold its output open
    assert shell.returncode == 128 + signal.SIGKILL
    assert gone(loading)
