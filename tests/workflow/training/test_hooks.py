"""The curve that a run keeps: each point is the mean of all losses since the point before, and no loss is left out."""

import statistics

import pytest
from mmengine.hooks import Hook

from tests.workflow.training.test_engine import die_after, run_of, task
from workflow.training import state
from workflow.training.engine import fit


class Losses(Hook):
    """The loss of each iteration."""

    def __init__(self):
        self.seen = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.seen.append(outputs["loss"].item())


@pytest.mark.parametrize(("iterations", "between"), [(1, 1), (199, 1), (205, 2), (310, 3)])
def test_a_point_is_the_mean_of_all_losses_since_the_one_before(tmp_path, iterations, between):
    run, losses = run_of(iterations=iterations, evaluate_every=0), Losses()
    done = fit(run, task(run), 20, tmp_path, more=[losses])
    ends = [point["iteration"] for point in done.points]
    assert ends == [*range(between, iterations, between), iterations]
    means = [statistics.fmean(losses.seen[start:end]) for start, end in zip([0, *ends], ends, strict=False)]
    assert [point["loss"] for point in done.points] == pytest.approx(means, rel=1e-5)


def test_a_run_that_is_killed_between_two_points_has_the_same_curve(tmp_path, monkeypatch):
    run = run_of(iterations=205, evaluate_every=0)
    whole = fit(run, task(run), 20, tmp_path / "whole")
    with monkeypatch.context() as patched:
        patched.setattr(state, "SECONDS_BETWEEN_SAVES", 0)
        die_after(7, run, tmp_path / "killed", patched)  # two iterations are a point
    assert fit(run, task(run), 20, tmp_path / "killed").points == whole.points
