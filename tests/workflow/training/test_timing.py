"""What a run costs, as each room measures it: what it is told, what it measures, what it writes."""

import dataclasses
import importlib
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config

from backbones.backbone import publish_untrained
from captioning.cost import view_seconds
from tests.workflow.training.test_engine import Line, run_of
from tests.workflow.training.test_engine import task as line_task
from workflow.config.loading import load
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.planning.plan import plan
from workflow.planning.run_spec import RunSpec
from workflow.training import timing

DEMO = load(Path(__file__).parents[3] / "config/demo.yaml")


def test_a_cost_is_that_of_a_shortened_run(tmp_path):
    run, given = RunSpec.parse(plan(DEMO).runs[0].json), []
    timing.write_cost(lambda *each: given.append(each) or {"step": 1.0}, run, Path("check.json"), tmp_path, "n")
    assert given == [(timing.shortened(run), Path("check.json"), tmp_path, "n")]
    assert read_json(tmp_path / "cost.json") == {"step": 1.0, "device": timing.device(run)}


def test_a_run_that_trains_nothing_is_not_shortened():
    run = dataclasses.replace(RunSpec.parse(plan(DEMO).runs[0].json), recipe={"batch_size": 8})
    assert timing.shortened(run) == run


@pytest.mark.parametrize(
    ("side", "batch", "given"), [(64, 32, 32), (224, 8, 8), (224, 256, 16), (300, 32, 8), (924, 8, 2)]
)
def test_a_cpu_is_given_as_many_images_as_fill_a_step(side, batch, given):
    """A step on a CPU takes about as long as its images, of which 256 take most of a minute."""
    run = dataclasses.replace(RunSpec.parse(plan(DEMO).runs[0].json), recipe={"batch_size": batch, "lr": 0.0})
    assert timing.few_images(run, side).recipe == {"batch_size": given, "lr": 0.0}


def test_a_gpu_is_given_the_whole_batch(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    run = dataclasses.replace(RunSpec.parse(plan(DEMO).runs[0].json), recipe={"batch_size": 256})
    assert timing.few_images(run, 224) is run


@pytest.mark.parametrize(("room", "task", "data", "changes", "given"), [
    ("pretrain", "pretrain", "imagenet", {"crop_size": 224}, 16),
    ("detection", "ssd_voc", "voc", {"size": 300}, 8),
    ("detection", "faster_rcnn_voc", "voc", {"min_size": 600, "max_size": 1000}, 2),
])  # fmt: skip
def test_a_room_measures_few_images_of_a_large_size(room, task, data, changes, given, asked_of, request):
    (run, config, *_), _ = asked_of(room, task, request.getfixturevalue(data).check, {"batch_size": 32, **changes})
    assert (run.recipe["batch_size"], config["train_dataloader"]["batch_size"]) == (given, given)


@pytest.mark.parametrize(("seconds", "steps", "tested"), [(0.05, 102, 5), (1.0, 12, 5), (4.0, 5, 4), (30.0, 3, 2)])
def test_ten_seconds_are_timed_without_what_warms_up(seconds, steps, tested, monkeypatch, tmp_path):
    """By a clock on which a step, and a batch of four test images, take so long."""
    clock, calls, forward = [0.0], [], Line.forward

    def passed(self, x, y, mode="tensor"):
        clock[0] += 100.0 if len(calls) < 2 else seconds
        calls.append((mode, self.training, torch.is_grad_enabled()))
        return forward(self, x, y, mode)

    monkeypatch.setattr(Line, "forward", passed)
    monkeypatch.setattr(timing, "now", lambda: clock[0])
    run = timing.shortened(run_of(iterations=7, milestones=[2]))
    assert {**run.recipe, "iterations": 0} == {"iterations": 0, "batch_size": 4, "warmup_iters": 0, "milestones": [],
                                               "lr": 0.0, "eval_interval": 0, "precision": "fp32"}  # fmt: skip
    found = timing.measure(run, line_task(run), 20, tmp_path) | {"device": timing.device(run)}
    timed = 200 + (steps - 2 + tested) * seconds
    assert found == {"step": pytest.approx(seconds), "image": pytest.approx(seconds / 4), "device": "CPU, 1 threads",
                     "batch": 4, "save": 0.0, "timed": pytest.approx(timed)}  # fmt: skip
    assert calls == [("loss", True, True)] * steps + [("predict", False, False)] * tested


MEASURED = {"step": 1.0, "image": 0.1, "timed": 20.0}


@pytest.fixture
def asked_of(monkeypatch, tmp_path):
    """Call it with a room, a run of the demo and a check to get what would be measured, but for the steps."""

    def call(room, task, check, changes=(), **data):
        (run,) = [run for run in plan(DEMO).runs if (run.task, run.backbone) == (task, "baseline")]
        told, given = json.dumps(run.run | {"recipe": run.run["recipe"] | dict(changes)} | data), []
        monkeypatch.setattr(timing, "measure", lambda *each: given.extend(each) or dict(MEASURED))
        words = [
            "--run-spec",
            told,
            "--dataset-info",
            str(check),
            "--out",
            str(tmp_path / "out"),
            "--network",
            "resnet50",
        ]
        monkeypatch.setattr("sys.argv", [room, "cost", *words])
        importlib.import_module(f"{room}.cli").main()
        cost = read_json(tmp_path / "out/cost.json")
        assert cost.pop("device")
        return given, cost

    return call


def test_what_is_measured_of_pretraining(asked_of, imagenet, tmp_path):
    (run, config, samples, state), cost = asked_of("pretrain", "pretrain", imagenet.check)
    assert (run.recipe["lr"], samples, state, cost) == (0.0, 40, tmp_path / "out/state", MEASURED)
    assert config["val_dataloader"]["dataset"]["check"].root == str(imagenet.root)


@pytest.mark.parametrize(("sides", "used"), [((60, 100), (69, 100)), ((90, 100), (104, 104))])
def test_square_images_of_a_recipe_with_a_short_side_get_the_area_of_a_photo_of_4_by_3(sides, used, asked_of, voc):
    changes = dict(zip(("min_size", "max_size"), sides, strict=True))
    (run, config, samples, _, start), _ = asked_of("detection", "faster_rcnn_voc", voc.check, changes)
    assert (run.recipe["min_size"], run.recipe["max_size"]) == used
    assert samples == 16
    start(MODELS.build(Config(config).model))


def test_a_detector_of_a_square_input_keeps_its_size(asked_of, voc):
    (run, *_), _ = asked_of("detection", "ssd_voc", voc.check)
    assert run.recipe["size"] == DEMO["tasks"]["ssd_voc"]["size"]


@pytest.mark.slow
@pytest.mark.parametrize(("data", "words"), [({"synthetic": {}}, range(20, 100)), ({"root": "x"}, [9956])])
def test_a_captioner_is_measured_with_as_many_words_as_coco_has(data, words, asked_of, coco):
    given, cost = asked_of("captioning", "nic_coco", coco.check, {"finetune_encoder": True}, data=data)
    run, config, samples, _, start = given
    assert (run.recipe["lr"], samples) == (0.0, 60)
    assert cost.pop("image") >= MEASURED["image"], "the scoring of a caption is part of it"
    assert cost.pop("timed") > MEASURED["timed"] + cost.pop("score") > MEASURED["timed"], "and METEOR's JVM starts"
    assert cost == {"step": 1.0}
    assert len(read_json(config["model"]["vocabulary"])) in words
    start(MODELS.build(Config(config).model))


def test_a_view_takes_its_part_of_a_second_pass(monkeypatch, coco, tmp_path):
    clock = iter((0.0, 100.0, 160.0))  # the first pass ends where the second one begins
    monkeypatch.setattr(timing, "now", lambda: next(clock))
    monkeypatch.setattr("captioning.cost.encoded", lambda encoder, views, run: ([None] * n for n in (4, 4, 2)))
    publish_untrained(tmp_path / "b", "resnet50")
    run = SimpleNamespace(recipe={"num_views": 3})
    assert view_seconds(run, tmp_path / "b", DatasetInfo.read(coco.check)) == 60 / (10 * 3)
