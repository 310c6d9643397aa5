"""What a config costs: the arithmetic on made-up seconds, and that every kind of run can be measured."""

import dataclasses
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

import workflow.planning.cost as cost_of_all
from detection.cost import cost
from tests.checks import info
from tests.demo import CONFIGS, demo
from workflow.config.loading import load, overlay
from workflow.core.errors import UserError
from workflow.core.files import write_json
from workflow.planning.cost import (
    counts,
    images,
    jobs,
    kinds,
    report,
    sizes,
    spent,
    table,
)
from workflow.planning.cost import main as cost_door
from workflow.planning.cost_images import synthetic_check
from workflow.planning.makespan import makespan
from workflow.planning.plan import plan
from workflow.planning.run_spec import RunSpec
from workflow.registry import data_name, task_of
from workflow.training import timing
from workflow.training.resume import checkpointing

PAPER = load(CONFIGS / "paper.yaml")
DEMO = demo()


def made_up(todo):
    """A cost.json of each kind: 1 s a step, 0.1 s a test image, 0.01 s a view's features."""
    return {key: {"step": 1.0, "image": 0.1, "features": 0.01, "device": "GPU"} for key in kinds(todo)}


def counts_of(todo):
    return {name: counts(todo.config, name, Path("nothing")) for name in todo.checks}


def test_a_run_of_the_paper_is_its_steps_and_its_evaluations():
    todo = plan(PAPER)
    first = {run.task: run for run in reversed(todo.runs)}
    numbers = counts_of(todo)
    unit = {"step": 1.0, "image": 0.1}

    def of(name):
        return spent(task_of(PAPER, name), first[name], unit, images(todo, name, numbers))

    assert of("pretrain") == (300 * 5004, 300 * 5004, 300 * 50_000 * 0.1)
    assert of("ssd_voc") == (120_000, 120_000, pytest.approx(12 * 495.2))
    assert of("nic_coco")[0] == 100 * (414_113 // 20)


@pytest.mark.parametrize(("parts", "number"), [((), 4952), (("trainval07",), 4952 + 5011)])
def test_a_task_that_trains_nothing_costs_each_of_its_images_once(parts, number):
    todo = plan(PAPER)
    run = next(run for run in todo.runs if run.task == "ssd_voc")
    task = dataclasses.replace(task_of(PAPER, "ssd_voc"), kind="evaluate", train_parts=parts)
    numbers = counts_of(todo)["voc"]
    trained = sum(numbers[part] for part in parts)
    assert spent(task, run, {"image": 0.1}, (trained, numbers["test07"])) == (0, 0.0, pytest.approx(number / 10))


def test_a_training_saves_each_minute_and_scores_after_each_evaluation():
    todo = plan(PAPER)
    run = next(run for run in todo.runs if run.task == "ssd_voc")
    unit = {"step": 0.5, "image": 0.1, "save": 0.3, "score": 7.0}
    _, training, evaluating = spent(task_of(PAPER, "ssd_voc"), run, unit, (16_551, 4952))
    assert training == pytest.approx(60_000 + 1000 * 0.3), "60,000 s are 1,000 minutes"
    assert evaluating == pytest.approx(12 * (495.2 + 7))
    assert cost_of_all.SECONDS_BETWEEN_SAVES == checkpointing.SECONDS_BETWEEN_SAVES


def test_a_run_that_chooses_its_rate_trains_once_more_with_each():
    todo = plan(PAPER)
    run = next(run for run in todo.runs if run.task == "ssd_voc")
    several = dataclasses.replace(run, run=run.run | {"recipe": run.run["recipe"] | {"lr": [0.001, 0.003]}})
    unit, task = {"step": 0.5, "image": 0.1, "score": 7.0}, task_of(PAPER, "ssd_voc")
    (steps, once, tested), (same, training, testing) = (
        spent(task, each, unit, (16_551, 4952)) for each in (run, several)
    )
    assert (same, training) == (steps, 3 * once)
    assert testing == pytest.approx(tested + 2 * (165.51 + 7))


def test_out_of_distribution_detection_passes_noise_and_the_known_images_too():
    todo = plan(load(CONFIGS / "cifar.yaml"))
    numbers = {name: counts(todo.config, name, Path("nothing")) for name in todo.checks}
    name, run = next((run.task, run) for run in todo.runs if task_of(todo.config, run.task).in_distribution)
    others, known = numbers[data_name(todo.config, name)]["test"], images(todo, "pretrain", numbers)[1]
    assert known == 10_000
    noise = 2 * run.run["recipe"]["noise_images"]
    whole = spent(task_of(todo.config, name), run, {"image": 1.0}, images(todo, name, numbers))[2]
    assert whole == others + known + noise


def test_each_job_starts_once():
    todo = plan(DEMO)
    costs = made_up(todo)
    without, unit = jobs(todo, costs, counts_of(todo)), {key: cost | {"start": 5.0} for key, cost in costs.items()}
    started = jobs(todo, unit, counts_of(todo))
    assert {name: job.seconds - without[name].seconds for name, job in started.items()} == pytest.approx(
        dict.fromkeys(without, 5.0)
    )


def test_every_job_waits_until_the_data_are_drawn():
    todo = plan(DEMO)
    costs = {key: cost | {"drawing": 0.01} for key, cost in made_up(todo).items()}
    every = jobs(todo, costs, counts_of(todo))
    drawn = {name for name in every if name in todo.checks.values()}
    assert every[todo.checks["imagenet"]].seconds == pytest.approx(0.01 * sum(counts_of(todo)["imagenet"].values()))
    assert len(drawn) == len({data_name(DEMO, run.task) for run in todo.jobs})
    assert all(drawn <= {*job.needs} for name, job in every.items() if name.endswith("metrics.json"))
    assert makespan(every, 1000) > max(every[name].seconds for name in drawn) + 1


def test_it_says_whose_numbers_the_hours_are_of(tmp_path):
    todo = plan(PAPER)
    lines = dict(line.split(": ", 1) for line in sizes(todo, counts_of(todo)))
    assert lines["imagenet"] == "1,281,167 train, 50,000 val (as published: the set is not checked yet)"
    assert all(line.endswith("(as drawn)") for line in sizes(plan(DEMO), counts_of(plan(DEMO))))
    (tmp_path / "check.json").touch()
    checked = SimpleNamespace(config=PAPER, checks={"imagenet": str(tmp_path / "check.json")})
    assert sizes(checked, {"imagenet": {"train": 7}}) == ["imagenet: 7 train (as checked)"]


def test_fewer_cores_than_a_job_is_to_have_are_said(monkeypatch):
    monkeypatch.setattr("workflow.planning.cost.measure", lambda todo, folder: made_up(todo))
    here = len(os.sched_getaffinity(0))
    photos = DEMO["data"]["imagenet"]["synthetic"]["train"]
    assert f"measured on GPU, with {here} cores at hand\n\nimagenet: {photos:,} train" in report(DEMO, [1])
    said = report(overlay(DEMO, {"resources": {"cpu_threads": here, "num_workers": 1}}), [1])
    assert f"warning: a job is to have {here + 1} cores (threads + workers)" in said


def test_the_matrix_counts_every_job_once_and_shares_features():
    todo = plan(DEMO | {"seeds": {"pretrain": [0], "transfer": [0, 1]}})
    every = jobs(todo, made_up(todo), counts_of(todo))
    assert len(every) == 4 + 4 + 4 * 3 * 2, "backbones, their features, two seeds of three tasks"
    assert sum(name.startswith("results/features/") for name in every) == 4
    features = next(job for name, job in every.items() if name.startswith("results/features/"))
    drawn, views = DEMO["data"]["coco"]["synthetic"], DEMO["tasks"]["nic_coco"]["num_views"]
    assert features.seconds == pytest.approx((drawn["train"] * views + drawn["val"]) * 0.01)
    captioner = next(job for name, job in every.items() if "/nic_coco/" in name)
    assert [every[need].seconds for need in captioner.needs] == [features.seconds]
    assert makespan(every, 1) == pytest.approx(sum(job.seconds for job in every.values()))
    alone = max(job.seconds for job in every.values())
    assert alone < makespan(every, 8) < makespan(every, 1)


def test_instances_are_counted_by_their_own_names_and_what_they_share_once():
    short = DEMO["tasks"]["nic_coco"] | {"task": "nic_coco", "epochs": 3}
    mine = DEMO["tasks"]["ssd_voc"] | {"task": "ssd_voc", "data": "mine"}
    small = DEMO["data"]["voc"] | {"layout": "voc", "synthetic": DEMO["data"]["voc"]["synthetic"] | {"test07": 7}}
    todo = plan(overlay(DEMO, {"tasks": {"short": short, "mine": mine}, "data": {"mine": small}}))
    lines = [line.split() for line in table(todo, made_up(todo), counts_of(todo))]
    assert [line[1] for line in lines if line[0] == "features"] == ["4"], "one line for what both captioners read"
    assert {line[0] for line in lines} >= {"short", "nic_coco", "mine", "ssd_voc"}
    every = jobs(todo, made_up(todo), counts_of(todo))
    assert sum(name.startswith("results/features/") for name in every) == 4
    last = {name.split("/")[2]: job.seconds for name, job in every.items() if name.endswith("metrics.json")}
    assert last["ssd_voc"] - last["mine"] == pytest.approx((DEMO["data"]["voc"]["synthetic"]["test07"] - 7) * 0.1)


def test_an_imported_backbone_is_waited_for_by_nobody(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    config = DEMO | {"backbones": {"baseline": {"checkpoint": str(tmp_path / "w.pth")}, "scratch": {"init": "random"}}}
    todo = plan(config)
    every = jobs(todo, made_up(todo), counts_of(todo))
    assert not [name for name in every if name.startswith("results/backbones/")]
    assert all(need in every for job in every.values() for need in job.needs)


def test_a_row_with_its_own_epochs_costs_its_own_and_is_measured_with_the_others():
    long = {"cutmix": {"pretrain": {"epochs": 8}}}
    config = overlay(DEMO, {"pretrain": {"epochs": 4, "eval_interval": 1}, "backbones": long})
    todo = plan(config)
    assert len(kinds(todo)) == 4
    smaller = {"cutmix": {"pretrain": {"crop_size": DEMO["pretrain"]["crop_size"] - 8}}}
    assert len(kinds(plan(overlay(DEMO, {"backbones": smaller})))) == 5
    lines = table(todo, made_up(todo), counts_of(todo))
    (pretraining,) = [line for line in lines if line.startswith("pretrain")]
    assert pretraining.split()[1] == "4"
    drawn = DEMO["data"]["imagenet"]["synthetic"]
    epoch = drawn["train"] // DEMO["pretrain"]["batch_size"] + drawn["val"] * 0.1
    hours = (3 * 4 + 8) * epoch / 3600
    assert pretraining.endswith(f"{hours:.1f} h")


@pytest.mark.slow
def test_ssd_is_measured_at_its_own_batch_of_test_images(monkeypatch, tmp_path):
    monkeypatch.setattr(timing, "MOST", 3)
    config = overlay(DEMO, {"tasks": {"ssd_voc": {"size": 64}}, "data": {"voc": {"synthetic": {"size": 64}}}})
    (run,) = [run for run in plan(config).runs if run.task == "ssd_voc" and run.backbone == "baseline"]
    found = cost(
        timing.shortened(RunSpec.parse(run.json)),
        synthetic_check(config, "voc", 8, tmp_path),
        tmp_path / "out",
        "resnet50",
    )
    assert found["step"] > 0
    assert found["image"] > 0


@pytest.mark.slow
def test_every_kind_of_run_is_measured(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(CONFIGS.parent))
    small = {"ssd_voc": {"batch_size": 2, "size": 64}, "nic_coco": {"num_views": 1, "crop_size": 64, "resize_size": 64}}
    small |= {"faster_rcnn_voc": {"batch_size": 1, "min_size": 64, "max_size": 96}}
    drawn = {name: {"synthetic": {"size": 64}} for name in ("voc", "coco")}
    said = report(overlay(DEMO, {"tasks": small, "pretrain": {"batch_size": 8}, "data": drawn}), [1, 2])
    for name in ("pretrain", "features", "ssd_voc", "faster_rcnn_voc", "nic_coco"):
        (line,) = [line for line in said.splitlines() if line.startswith(name + " ")]
        assert float(line.split()[2].replace(",", "")) > 0
    assert "1: " in said
    assert list(tmp_path.iterdir()) == [], "it leaves nothing behind"


@pytest.fixture
def measured(monkeypatch, tmp_path):
    """Stands in for the measuring of each kind: what became of it, by task; made-up seconds where all is well, of steps
    of `batch` images."""

    check = tmp_path / "check.json"
    info(counts={"train": 1}).write(check)

    def stand_in(batch=None, **status):
        seconds = {"step": 1.0, "image": 0.1, "features": 0.01, "device": "GPU"} | ({"batch": batch} if batch else {})

        def run(call, **_):
            task = json.loads(call[call.index("--run-spec") + 1])["task"]
            if not status.get(task):
                write_json(Path(call[-1]) / "cost.json", seconds)
            return SimpleNamespace(returncode=status.get(task, 0))

        monkeypatch.setattr(cost_of_all, "synthetic_check", lambda *_: check)
        monkeypatch.setattr(cost_of_all.subprocess, "run", run)

    return stand_in


def test_a_kind_that_the_machine_is_too_small_for_is_in_no_sum(measured):
    measured(ssd_voc=-9)
    said = report(DEMO, [1])
    assert "ssd_voc: not measured, and in no sum: it was killed, often for want of memory" in said
    runs = [run for run in plan(DEMO).runs if run.task != "ssd_voc"]
    sets = {data_name(DEMO, run.task) for run in runs}
    assert f"The whole of {len(runs) + 4 + len(sets)} jobs" in said, "four compute features, others draw the data"


def test_a_machine_that_is_too_small_for_all_is_said(measured):
    measured(**dict.fromkeys(["pretrain", *DEMO["tasks"]], -9))
    with pytest.raises(UserError, match="no kind of run could be measured on this machine"):
        report(DEMO, [1])


def test_a_step_of_few_images_is_counted_as_one_of_the_whole_batch(measured):
    measured(batch=2)
    said = report(PAPER, [1])
    assert "pretrain: a step of 256 images is measured with 2: a whole one may take a third longer\n" in said
    (line,) = [line for line in said.splitlines() if line.startswith("pretrain ")]
    assert line.split()[2] == "128,000.0"


def test_steps_that_are_measured_whole_need_no_word(measured):
    measured()
    assert "is measured with" not in report(PAPER, [1])


def test_a_kind_that_fails_ends_it(measured):
    measured(ssd_voc=1)
    with pytest.raises(UserError, match="the cost of ssd_voc could not be measured; the reason stands above"):
        report(DEMO, [1])


def test_cost_must_be_given_each_of_its_arguments(required):
    assert required(cost_door) == ["--config"]


def test_without_a_number_of_gpus_several_are_said(monkeypatch, capsys):
    monkeypatch.setattr(cost_of_all, "report", lambda config, places: str(places))
    monkeypatch.setattr("sys.argv", ["x", "--config", str(CONFIGS / "demo.yaml")])
    cost_door()
    assert capsys.readouterr().out == "[1, 2, 4, 8]\n"
