"""The curve that a run keeps: each point is the mean of all losses since the point before, and no loss is left out.
What it shows meanwhile: how far it is, and how long it will take."""

import itertools
import statistics
from types import SimpleNamespace

import pytest
from mmengine.hooks import Hook

from tests.workflow.training.test_engine import Line, Points, die_after, run_of, task
from workflow.training import hooks
from workflow.training.engine import fit
from workflow.training.hooks import History, ends_window
from workflow.training.resume import checkpointing


class Losses(Hook):
    """The loss of each iteration."""

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(outputs["loss"].item())


@pytest.mark.parametrize(("iterations", "points"), [(1, 1), (99, 99), (199, 100), (205, 100), (300, 100)])
def test_a_point_is_the_mean_of_all_losses_since_the_one_before(tmp_path, iterations, points):
    run, losses = run_of(iterations=iterations, eval_interval=0), Losses()
    done = fit(run, task(run), 20, tmp_path, more=[losses])
    ends = [point["iteration"] for point in done.points]
    assert (len(ends), ends[-1]) == (points, iterations)
    means = [statistics.fmean(losses.seen[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert [point["loss"] for point in done.points] == pytest.approx(means, rel=1e-5)


@pytest.mark.parametrize("iterations", [101, 205, 625, 120_000])
def test_no_point_is_the_mean_of_far_fewer_losses_than_the_others(iterations):
    ends = [done for done in range(1, iterations + 1) if ends_window(done, iterations, 100)]
    lengths = {end - start for start, end in itertools.pairwise([0, *ends])}
    assert (len(ends), ends[-1]) == (100, iterations)
    assert max(lengths) - min(lengths) <= 1


def test_a_run_that_is_killed_between_two_points_has_the_same_curve(tmp_path, monkeypatch):
    run = run_of(iterations=205, eval_interval=0)
    whole = fit(run, task(run), 20, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
        die_after(8, run, tmp_path / "killed")  # points are at 7 and 9
    assert fit(run, task(run), 20, tmp_path / "killed").points == whole.points
    rates = [point["lr"] for point in whole.points if point["iteration"] > 8]
    assert rates == pytest.approx([0.002] * len(rates)), "a tenth from iteration 8 on"


@pytest.fixture
def clock(monkeypatch):
    """A clock of the hooks that runs only while work is done: 1 s a sample, 10 s a step, 1000 s a test batch."""
    clock = SimpleNamespace(now=5000.0)
    load, forward = Points.__getitem__, Line.forward

    def loaded(self, index):
        clock.now += 1
        return load(self, index)

    def passed(self, x, y, mode="tensor"):
        clock.now += 10 if mode == "loss" else 1000
        return forward(self, x, y, mode)

    monkeypatch.setattr(Points, "__getitem__", loaded)
    monkeypatch.setattr(Line, "forward", passed)
    monkeypatch.setattr(hooks, "time", SimpleNamespace(monotonic=lambda: clock.now))
    return clock


@pytest.mark.parametrize("killed", [None, 7])
def test_seconds_are_those_of_steps_and_of_waiting_for_their_data_alone(killed, clock, tmp_path, monkeypatch):
    """Evaluations are left out, and what was done again after a kill."""
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    run = run_of()
    if killed:
        die_after(killed, run, tmp_path)
    done = fit(run, task(run), 20, tmp_path)
    assert (done.seconds, done.data_wait) == (12 * 14, 4 / 14)
    assert done.images_per_second == 12 * 4 / (12 * 14)
    assert done.images == 20


def test_a_line_comes_at_the_first_step_after_ten_seconds_and_at_the_end(clock, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    run = run_of(eval_interval=0)
    die_after(3, run, tmp_path)
    capsys.readouterr()
    monkeypatch.setattr(hooks, "SECONDS_BETWEEN_LINES", 27.0)
    fit(run, task(run), 20, tmp_path)
    lines = [line.removeprefix("[ssd_voc cutmix p0s1] ") for line in capsys.readouterr().out.splitlines()]
    assert lines[0] == "resumed at iteration 3 of 12"
    far = ["4/12   33 %", "6/12   50 %", "8/12   66 %", "10/12   83 %", "12/12  100 %"]
    left = ["0:01:52", "0:01:24", "0:00:56", "0:00:28", "0:00:00"]
    assert [line.partition("  loss")[0] for line in lines[1:-1]] == far
    assert [line.partition("ETA ")[2] for line in lines[1:-1]] == left
    assert lines[-1].startswith("evaluated at 12/12: error ")


def test_the_time_left_is_that_of_the_steps_left_at_the_speed_since_the_start(capsys):
    history = History("x", 1000, 4)
    history.first, history.began = 100, 50.0
    history.line(200, 50.0 + 500.0)
    history.points.append({"iteration": 200, "loss": 1.23456, "lr": 0.1})
    history.line(200, 50.0 + 500.0)
    history.line(999, 50.0 + 899.0)
    ends = ["ETA 1:06:40", "loss 1.235  ETA 1:06:40", "loss 1.235  ETA 0:00:01"]
    starts = ["200/1000   20 %", "200/1000   20 %", "999/1000   99 %"]
    assert capsys.readouterr().out.splitlines() == [f"[x] {a}  {b}" for a, b in zip(starts, ends, strict=True)]


def test_a_network_gets_its_weights_once(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    run, given = run_of(), []
    die_after(3, run, tmp_path)
    fit(run, task(run), 20, tmp_path, start=given.append)
    assert given == [], "a resumed one has its own"
    assert [type(fit(run, task(run), 20, tmp_path / "new", given.append).model)] == [type(one) for one in given]
