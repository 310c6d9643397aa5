"""Every iteration's rate is that of a formula, and so is the one that the record shows for it."""

import pytest
from mmengine.hooks import Hook

from tests.workflow.training.test_engine import Line, die_after, run_of, task
from workflow.core.errors import UserError
from workflow.training.engine import fit
from workflow.training.resume import interrupts

LR, ITERATIONS = 0.02, 12


def rate(iteration: int, warmup: int, steps: list[int]) -> float:
    """Of an iteration, counted from 0: linear from 1 % in the first of `warmup` to all in the last; x 0.1 a step."""
    ramp = 0.01 + 0.99 * iteration / (warmup - 1) if iteration < warmup - 1 else 1.0
    return LR * ramp * 0.1 ** sum(step <= iteration for step in steps)


def slow_part(run):
    """A task of which one layer learns at a hundredth of the rate, as a fine-tuned captioner's encoder does."""
    work = task(run)
    work["optim_wrapper"]["paramwise_cfg"] = {"custom_keys": {"layer.0": {"lr_mult": 0.01}}}
    return work


class Rates(Hook):
    """The rate that each step of the optimizer takes, of each group of parameters."""

    def __init__(self):
        self.taken = []

    def before_train(self, runner):
        step = runner.optim_wrapper.optimizer.step

        def watched(*arguments, **named):
            self.taken.append([group["lr"] for group in runner.optim_wrapper.optimizer.param_groups])
            return step(*arguments, **named)

        runner.optim_wrapper.optimizer.step = watched


@pytest.mark.parametrize("steps", [[], [1], [3], [2, 4, 8], [5], [11]])
@pytest.mark.parametrize("warmup", [0, 1, 2, 5, 12, 20])
def test_the_rate_of_each_iteration(tmp_path, warmup, steps):
    run, rates = run_of(warmup_iters=warmup, milestones=steps, iterations=ITERATIONS), Rates()
    done = fit(run, slow_part(run), 20, tmp_path, more=[rates])
    expected = [rate(i, warmup, steps) for i in range(ITERATIONS)]
    assert [max(group) for group in rates.taken] == pytest.approx(expected, rel=1e-9)
    assert [min(group) for group in rates.taken] == pytest.approx([0.01 * one for one in expected], rel=1e-9)
    assert [point["iteration"] for point in done.points] == list(range(1, ITERATIONS + 1))
    assert [point["lr"] for point in done.points] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("work", [task, slow_part])
@pytest.mark.parametrize("killed", [1, 3, 6])
def test_a_resumed_run_goes_on_at_the_rates_it_would_have_had(tmp_path, monkeypatch, killed, work):
    from workflow.training.resume import checkpointing

    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    run, rates = run_of(warmup_iters=5, milestones=[4, 8], iterations=ITERATIONS), Rates()
    die_after(killed, run, tmp_path, work)
    done = fit(run, work(run), 20, tmp_path, more=[rates])
    expected = [rate(i, 5, [4, 8]) for i in range(ITERATIONS)]
    assert [point["lr"] for point in done.points] == pytest.approx(expected, rel=1e-9)
    assert [max(group) for group in rates.taken] == pytest.approx(expected[-len(rates.taken) :], rel=1e-9)


@pytest.mark.parametrize("work", [task, slow_part])
@pytest.mark.parametrize("iteration", [0, 3, 7, 9])
def test_a_loss_that_is_not_finite_is_said_with_its_own_rate(tmp_path, monkeypatch, iteration, work):
    """In the warm-up, after a drop, and where losses are looked at some iterations later, as on a GPU."""
    monkeypatch.setattr(
        interrupts.CheckFiniteLossHook, "before_train", lambda self, runner: setattr(self, "together", 5)
    )
    run, forward, calls = (
        run_of(warmup_iters=5, milestones=[4, 8], iterations=ITERATIONS, eval_interval=0),
        Line.forward,
        [],
    )

    def breaks(self, x, y, mode="tensor"):
        calls.append(mode)
        return forward(self, x * float("nan") if len(calls) == iteration + 1 else x, y, mode)

    monkeypatch.setattr(Line, "forward", breaks)
    with pytest.raises(UserError) as error:
        fit(run, work(run), 20, tmp_path)
    assert f"at iteration {iteration + 1} (learning rate {rate(iteration, 5, [4, 8]):.2g}), on " in str(error.value)
