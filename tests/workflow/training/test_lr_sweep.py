"""The learning rate that a run chooses on held-out images: which, what of it is recorded, and after a kill."""

from dataclasses import replace

import pytest

from tests.killed import Killed
from tests.workflow.training.test_engine import run_of, task
from workflow.contracts import Metric
from workflow.core.errors import UserError
from workflow.training.engine import fit
from workflow.training.lr_sweep import choose_lr
from workflow.training.resume.interrupts import diverged

OF = {"recipe": "a", "backbone": "b", "data": "c"}
ERROR = Metric("error", better="lower", digits=2)
RATES = [0.001, 0.01, 0.1]


class Trainings:
    """Stands in for the trainings of a room: gives the score of each rate, and knows what it was asked for."""

    def __init__(self, scores, metric="error"):
        self.scores, self.metric, self.runs = scores, metric, []

    def __call__(self, run, folder):
        self.runs.append(run)
        folder.mkdir(parents=True)
        (folder / "1-state.pth").touch()
        score = self.scores[run.recipe["lr"]]
        if isinstance(score, type):
            raise score
        return type("Result", (), {"metrics": {self.metric: score, "other": 50.0}})


def chosen(tmp_path, trainings, metric=ERROR, of=OF, **changes):
    return choose_lr(run_of(lr=RATES, **changes), of, tmp_path, metric, trainings)


def test_a_run_with_one_rate_is_as_it_was(tmp_path):
    run, trainings = run_of(lr=0.01), Trainings({})
    sweep = choose_lr(run, OF, tmp_path, ERROR, trainings)
    assert (sweep.run, sweep.protocol, sweep.more, trainings.runs) == (run, {}, {}, [])
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("better", "best"), [("lower", 0.001), ("higher", 0.1)])
def test_the_best_is_taken_in_the_direction_of_the_metric(better, best, tmp_path):
    trainings = Trainings(dict(zip(RATES, (20.0, 30.0, 40.0), strict=True)))
    sweep = chosen(tmp_path, trainings, Metric("error", better=better))
    assert sweep.run == run_of(lr=best)


def test_of_equals_the_lowest_is_taken(tmp_path):
    assert chosen(tmp_path, Trainings(dict.fromkeys(RATES, 5.0))).run.recipe["lr"] == 0.001


def test_the_record_names_it_and_all_scores(tmp_path, capsys):
    sweep = chosen(tmp_path, Trainings(dict(zip(RATES, (30.0, 20.125, 40.0), strict=True))))
    assert sweep.protocol == {"lr": "best of 3 by error on held-out training images"}
    assert sweep.more == {"chosen": {"lr": 0.01, "held_out": {"0.001": 30.0, "0.01": 20.125, "0.1": 40.0}}}
    last = "lr 0.01 is taken (error on held-out training images: 0.001: 30.00, 0.01: 20.12, 0.1: 40.00)\n"
    assert capsys.readouterr().out.endswith(last)


def test_a_rate_is_tried_by_the_recipe_but_for_evaluations_on_the_way(tmp_path):
    trainings = Trainings(dict.fromkeys(RATES, 5.0))
    run = replace(run_of(lr=RATES), tracking={"tensorboard": "x"}, keep_network=True)
    choose_lr(run, OF, tmp_path, ERROR, trainings)
    assert trainings.runs == [run_of(lr=lr, eval_interval=0) for lr in RATES], "no curves, and no network to keep"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["parts"], "no state of a rate stays"


def test_after_a_kill_no_rate_is_tried_again(tmp_path):
    first = Trainings({0.001: 30.0, 0.01: Killed})
    with pytest.raises(Killed):
        chosen(tmp_path, first)
    again = Trainings({0.01: 20.0, 0.1: 10.0})
    (tmp_path / "lr-1/1-state.pth").unlink()
    (tmp_path / "lr-1").rmdir()
    sweep = chosen(tmp_path, again)
    assert [run.recipe["lr"] for run in again.runs] == [0.01, 0.1]
    assert sweep.more["chosen"] == {"lr": 0.1, "held_out": {"0.001": 30.0, "0.01": 20.0, "0.1": 10.0}}


def diverging(run, folder):
    """A training whose loss is not finite at rates above 0.01."""
    if run.recipe["lr"] > 0.01:
        folder.mkdir(parents=True)
        diverged(folder).write_text("the loss is not finite")
        raise UserError("the loss is not finite")
    return Trainings({0.001: 30.0, 0.01: 20.0})(run, folder)


def test_a_rate_at_which_the_loss_is_not_finite_is_no_reason_to_end(tmp_path, capsys):
    sweep = chosen(tmp_path, diverging)
    assert sweep.more == {"chosen": {"lr": 0.01, "held_out": {"0.001": 30.0, "0.01": 20.0, "0.1": "diverged"}}}
    assert "0.01: 20.00, 0.1: diverged)" in capsys.readouterr().out
    assert chosen(tmp_path, Trainings({})).more == sweep.more, "and it is not tried again"


def test_if_no_rate_keeps_it_finite_that_is_said(tmp_path):
    with pytest.raises(
        UserError, match=r"^ssd_voc cutmix p0s1: no learning rate of \[0.1, 0.3\] keeps the loss finite"
    ):
        choose_lr(run_of(lr=[0.1, 0.3]), OF, tmp_path, ERROR, diverging)


def test_another_error_ends_it(tmp_path):
    def broken(run, folder):
        raise UserError("no such file")

    with pytest.raises(UserError, match="no such file"):
        chosen(tmp_path, broken)


def test_of_another_backbone_all_are_tried_again(tmp_path):
    chosen(tmp_path, Trainings(dict.fromkeys(RATES, 5.0)))
    again = Trainings(dict.fromkeys(RATES, 5.0))
    chosen(tmp_path, again, of=OF | {"backbone": "another"})
    assert len(again.runs) == 3


def test_a_real_training_is_tried_at_each_rate(tmp_path):
    def train(run, folder):
        work = task(run)
        work["optim_wrapper"]["optimizer"]["lr"] = run.recipe["lr"]
        return fit(run, work, 20, folder, last=False)

    sweep = choose_lr(run_of(lr=[1e-6, 0.02, 1e30]), OF, tmp_path, ERROR, train)
    slow, quick, too_high = sweep.more["chosen"]["held_out"].values()
    assert slow != quick
    assert too_high == "diverged"
    assert sweep.run.recipe["lr"] == (1e-6 if slow < quick else 0.02)
