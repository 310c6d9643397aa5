"""The curves that a tracker shows: of a run that is killed and resumed they are those of one that was not."""

import dataclasses
import importlib.util
import itertools
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.summary.writer import event_file_writer

from tests.workflow.training.resume.test_interrupts import ask
from tests.workflow.training.test_engine import MeanError, die_after, outcome, run_of, task
from workflow.core.errors import UserError
from workflow.core.signals import Interrupted
from workflow.training import tracking
from workflow.training.engine import fit
from workflow.training.resume import checkpointing

NAME = "ssd_voc/cutmix/p0s1"
MEASURED = {"train/images_per_second", "train/data_wait"}  # another in each run


@pytest.fixture(scope="module", autouse=True)
def _ordered_names():
    """Event files of one second and process are read in the order of a number in their names, as text."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(event_file_writer, "_global_uid", event_file_writer.AtomicCounter(100))
        yield


def tracked_run(tracker="tensorboard", **changes):
    where = {"tracker": tracker, "folder": "results/demo/tracking", "name": NAME}
    return dataclasses.replace(run_of(**changes), tracking=where)


def curves() -> dict[str, list[tuple[int, float]]]:
    """Metric to (step, value), as TensorBoard shows them."""
    events = EventAccumulator(f"results/demo/tracking/{NAME}", size_guidance={"scalars": 0}).Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


def same_curves(one, other):
    assert one.keys() == other.keys()
    assert {tag: [step for step, _ in one[tag]] for tag in one} == {
        tag: [step for step, _ in other[tag]] for tag in one
    }
    assert {tag: one[tag] for tag in one.keys() - MEASURED} == {tag: other[tag] for tag in one.keys() - MEASURED}


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(outcome, curves) of an uninterrupted run, of 205 iterations: two are a point."""
    folder = tmp_path_factory.mktemp("whole")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        done = fit(tracked_run(iterations=205), task(run_of()), 20, folder / "state")
        return outcome(done), curves(), done


def test_the_curves_are_the_record_s(undisturbed):
    _, shown, done = undisturbed
    points = {key: [(p["iteration"], pytest.approx(p[key], rel=1e-6)) for p in done.points] for key in ("loss", "lr")}
    assert {key: shown[f"train/{key}"] for key in points} == points
    ends = [(each["iteration"], pytest.approx(each["error"], rel=1e-6)) for each in done.evaluations]
    assert shown["val/error"] == ends
    assert shown.keys() == {"train/loss", "train/lr", "val/error", *MEASURED}
    assert all(0 <= value <= 1 for _, value in shown["train/data_wait"])
    assert all(value > 0 for _, value in shown["train/images_per_second"])


def test_a_tracker_changes_no_bit(undisturbed, tmp_path):
    tensors, *history = outcome(fit(run_of(iterations=205), task(run_of()), 20, tmp_path))
    assert all(torch.equal(a, b) for a, b in zip(tensors, undisturbed[0][0], strict=True))
    assert tuple(history) == undisturbed[0][1:]
    assert not Path("results").exists(), "off by default"


@pytest.mark.parametrize(("moment", "closed"), [(7, True), (10, True), (10, False), (21, False)])
def test_killed_and_resumed_it_is_one_curve(moment, closed, undisturbed, tmp_path, monkeypatch):
    """Saved before each iteration, and killed some later: these are in the events, if they were `closed`, but not in
    the state."""
    saved, save = itertools.count(), checkpointing.ResumeCheckpointHook.save
    with monkeypatch.context() as patch:
        patch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
        keep = lambda hook, runner: save(hook, runner) if next(saved) < moment else None  # noqa: E731
        patch.setattr(checkpointing.ResumeCheckpointHook, "save", keep)
        if not closed:
            patch.setattr(tracking.TensorboardTracker, "close", lambda self: None)
        die_after(moment + 5, tracked_run(iterations=205), tmp_path)
    cut = [step for step, _ in curves()["train/loss"]]
    assert cut[-1] > moment or not closed
    fit(tracked_run(iterations=205), task(run_of()), 20, tmp_path)
    same_curves(curves(), undisturbed[1])


def test_an_evaluation_that_is_repeated_is_shown_once(undisturbed, tmp_path, monkeypatch):
    """Asked to end in the evaluation of iteration 10, and killed after it was made again, before it was saved."""
    with monkeypatch.context() as patch:
        ask(patch, (MeanError, "compute_metrics"), 2)
        with pytest.raises(Interrupted):
            fit(tracked_run(iterations=205), task(run_of()), 20, tmp_path)
    die_after(11, tracked_run(iterations=205), tmp_path)
    assert [step for step, _ in curves()["val/error"]] == [5, 10]
    fit(tracked_run(iterations=205), task(run_of()), 20, tmp_path)
    same_curves(curves(), undisturbed[1])


def test_a_run_from_the_beginning_replaces_the_curves_of_another(tmp_path):
    fit(tracked_run(iterations=30), task(run_of()), 20, tmp_path / "one")
    fit(tracked_run(iterations=12), task(run_of()), 20, tmp_path / "other")
    assert [step for step, _ in curves()["train/loss"]] == [*range(1, 13)]


def test_a_run_that_was_not_tracked_before_shows_the_rest(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    die_after(7, run_of(), tmp_path)
    fit(tracked_run(), task(run_of()), 20, tmp_path)
    assert [step for step, _ in curves()["train/loss"]] == [*range(8, 13)]


def test_points_of_a_long_run_are_not_far_apart():
    assert tracking.TrackingHook(tracked_run(), Path("state"), tracking.History("run", 10**6, 4)).windows == 10**6 / 50


def test_a_tracker_that_is_not_installed_is_refused(tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "wandb" else find(name, *more))
    with pytest.raises(UserError, match="wandb is not installed; install it with: python -m pip install wandb"):
        fit(tracked_run("wandb"), task(run_of()), 20, tmp_path)
