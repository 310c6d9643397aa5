"""A training says how far it is, in a file that nothing else depends on."""

import time

import pytest

from tests.workflow.training.test_engine import MeanError, die_after, fit, run_of, task
from workflow.planning.progress import Progress
from workflow.training import progress
from workflow.training.hooks import History
from workflow.training.resume import checkpointing


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """What was written, in order, in the folder of the test."""
    found, write = [], Progress.write
    monkeypatch.setattr(Progress, "write", lambda self, state: write(self, state) or found.append(Progress.read(state)))
    return found


def test_it_is_written_every_few_seconds_and_around_evaluations(seen, tmp_path, monkeypatch):
    run, before = run_of(), time.time()
    fit(run, task(run), 20, tmp_path)
    assert [(one.iteration, one.evaluating) for one in seen] == [
        (0, False), *((n, evaluating) for n in (5, 10, 12) for evaluating in (True, False)),
    ]  # fmt: skip
    assert {one.iterations for one in seen} == {12}
    assert seen[0].images_per_second == seen[0].seconds_left == seen[-1].seconds_left == 0
    assert before <= seen[0].time <= seen[-1].time <= time.time()
    assert [path.name for path in tmp_path.glob("*progress*")] == ["progress.json"]
    seen.clear()
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_WRITES", 0)
    fit(run_of(eval_interval=0), task(run), 20, tmp_path / "each")
    assert [one.iteration for one in seen] == [*range(13), 12, 12]


def test_an_evaluation_that_is_killed_was_one(tmp_path, monkeypatch):
    class Killed(BaseException):
        pass

    def die(self, results):
        raise Killed

    monkeypatch.setattr(MeanError, "compute_metrics", die)
    with pytest.raises(Killed):
        fit(run_of(), task(run_of()), 20, tmp_path)
    found = Progress.read(tmp_path)
    assert (found.iteration, found.evaluating) == (5, True)


def test_speed_and_time_left_are_those_of_this_attempt(tmp_path, monkeypatch):
    """Four images an iteration that takes 2 s, of which it took 1000 before it was killed."""
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    monkeypatch.setattr(progress, "SECONDS_BETWEEN_WRITES", 0)
    pace, after = [1000.0], History.after_train_iter

    def slowly(self, *args, **kwargs):
        self.tick -= pace[0]
        self.began -= pace[0]
        after(self, *args, **kwargs)

    monkeypatch.setattr(History, "after_train_iter", slowly)
    run = run_of(eval_interval=0)
    die_after(6, run, tmp_path)
    assert Progress.read(tmp_path).images_per_second == pytest.approx(4 / 1000, rel=0.1)
    pace[0] = 2.0
    die_after(8, run, tmp_path)
    found = Progress.read(tmp_path)
    assert found.iteration == 8
    assert found.images_per_second == pytest.approx(2.0, rel=0.3)
    assert found.seconds_left == pytest.approx(8.0, rel=0.3)


def test_a_new_attempt_forgets_where_the_last_one_was(tmp_path):
    Progress(5, 12, False, 1.0, 2.0, time.time()).write(tmp_path)
    checkpointing.prepare(tmp_path, tmp_path / "out", {})
    assert Progress.read(tmp_path) is None


def test_a_disk_that_is_full_is_no_matter_of_the_training(tmp_path):
    (tmp_path / ".progress.json.part").mkdir()
    fit(run_of(), task(run_of()), 20, tmp_path)
