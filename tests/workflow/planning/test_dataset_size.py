"""Data that are too few for a config are said by the job of their check, before anything is trained; the lines
themselves: tests/bad/few.py."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from tests.checks import info
from tests.workflow.test_rules import DEMO, jobs
from workflow.config.loading import overlay
from workflow.planning.dataset_size import faults, need, required_sizes, suits
from workflow.planning.dataset_size import main as enough_door
from workflow.planning.plan import plan
from workflow.registry import datasets, task_of


@pytest.fixture
def config(imagenet, voc):
    """SSD alone, on checked data of the tests, with a batch that they are too few for."""
    data = {"imagenet": {"root": str(imagenet.root)}}
    data["voc"] = {"root": str(voc.root), "classes": ["circle", "square", "triangle", "star"]}
    recipe = DEMO["pretrain"] | {"batch_size": 8, "warmup_iters": 2}
    tasks = {"ssd_voc": DEMO["tasks"]["ssd_voc"] | {"batch_size": 17}}
    return DEMO | {"data": data, "backbones": {"baseline": {}}, "pretrain": recipe, "tasks": tasks}


@pytest.mark.slow
def test_the_job_of_the_check_says_it(config, voc, snakemake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    said = f"tasks.ssd_voc.batch_size: 17 is more than the 16 training images with an object in {voc.root}"
    Path("x.yaml").write_text(yaml.safe_dump(config))
    status, terminal = snakemake("--cores", "1", "--keep-going", "--configfile", "x.yaml")
    assert status == 1
    assert f"error: {said}\n" in terminal
    assert "rule pretrain:" not in terminal
    assert not Path(plan(config).checks["voc"]).exists(), "else the next call would train"

    Path("y.yaml").write_text(yaml.safe_dump(overlay(config, {"tasks": {"ssd_voc": {"batch_size": 16}}})))
    assert snakemake("--cores", "1", "--configfile", "y.yaml", "--", "results/data/all_checks_passed.txt")[0] == 0
    status, terminal = snakemake("-n", "--configfile", "x.yaml")
    assert status == 1
    assert f"error: x.yaml: {said}, as counted in {plan(config).checks['voc']}; remove" in terminal
    assert "Traceback" not in terminal
    Path("z.yaml").write_text(yaml.safe_dump(overlay(config, {"tasks": {"ssd_voc": {"batch_size": 15}}})))
    planned = jobs(snakemake("-n", "--configfile", "z.yaml")[1])
    assert planned["detection"] == 1
    assert "check_data" not in planned, "another batch repeats no check"


def test_a_recipe_is_asked_for_once():
    rows = {name: {} for name in ("a", "b")} | {"mine": {"checkpoint": "x"}, "own": {"pretrain": {"epochs": 9}}}
    own = required_sizes(DEMO | {"backbones": rows}, "imagenet")
    assert [each["epochs"] for each in own] == [DEMO["pretrain"]["epochs"], 9]
    assert own[1]["at"] == {"batch_size": "pretrain.batch_size", "warmup_iters": "pretrain.warmup_iters",
                            "epochs": "backbones.own.pretrain.epochs"}  # fmt: skip
    nic = DEMO["tasks"]["nic_coco"]
    assert required_sizes(DEMO, "coco") == [
        {"of": "training captions", "key": "tasks.nic_coco", "batch_size": nic["batch_size"], "epochs": nic["epochs"],
         "at": {key: f"tasks.nic_coco.{key}" for key in ("batch_size", "epochs")},
         "preflight": {"room": "captioning", "recipe": nic}}]  # fmt: skip


@pytest.mark.parametrize("images", [16, 23, 24, 160])
@pytest.mark.parametrize("epochs", [1, 3])
def test_each_value_is_refused_from_its_bound_on(images, epochs):
    """The whole set may be one batch; the warm-up must end before the training does."""

    def refused(batch, warmup):
        recipe = {"batch_size": batch, "epochs": epochs, "warmup_iters": warmup}
        config = DEMO | {"pretrain": DEMO["pretrain"] | recipe, "backbones": {"baseline": {}}}
        check = info(counts={"train": images})
        return [
            line.partition(":")[0] for line in faults(datasets()["imagenet"], check, required_sizes(config, "imagenet"))
        ]

    assert refused(images, 0) == []
    assert refused(images + 1, 0) == ["pretrain.batch_size"]
    end = epochs * (images // 8)
    assert refused(8, end - 1) == []
    assert refused(8, end) == refused(8, end + 1) == ["pretrain.warmup_iters"]


def test_an_instance_asks_its_own_set_under_its_own_name():
    own = DEMO["tasks"]["nic_coco"] | {"task": "nic_coco", "data": "mine"}
    config = overlay(DEMO, {"tasks": {"short": own}, "data": {"mine": {"layout": "coco"}}})
    (asked,) = required_sizes(config, "mine")
    assert (asked["of"], asked["key"]) == ("training captions", "tasks.short")
    assert asked["at"] == {"batch_size": "tasks.short.batch_size", "epochs": "tasks.short.epochs"}
    assert [each["key"] for each in required_sizes(config, "coco")] == ["tasks.nic_coco"]


def test_what_only_the_task_can_tell_is_said_under_the_name_of_the_instance(coco, capfd):
    assert suits(coco.check, "captioning", "tasks.short", {"min_word_count": 1})
    assert not suits(coco.check, "captioning", "tasks.short", {"min_word_count": 999})
    assert "error: tasks.short.min_word_count: 999, but no word of the training captions in " in capfd.readouterr().err


def test_a_task_that_trains_nothing_asks_for_no_number_of_images():
    task = dataclasses.replace(task_of(DEMO, "nic_coco"), kind="evaluate", preflight=False)
    asked = need(task, "tasks.score", {"batch_size": 20, "epochs": 6}, {})
    assert asked == {"of": "training captions", "key": "tasks.score", "at": {}}
    check = info(kinds=["instances"], counts={"train_images": 1})
    said = "tasks.score: photos has no captions: annotations/captions_train2014.json is missing"
    assert list(faults(datasets()["coco"], check, [asked])) == [said]
    assert list(faults(datasets()["coco"], dataclasses.replace(check, kinds=["captions"]), [asked])) == []


def test_images_alone_need_no_annotations():
    check = info(kinds=["instances"], counts={"train_images": 7})
    asked = {"of": "training images", "key": "pretrain", "batch_size": 8, "at": {"batch_size": "pretrain.batch_size"}}
    line = "pretrain.batch_size: 8 is more than the 7 training images in photos"
    assert list(faults(datasets()["coco"], check, [asked])) == [line]


def test_enough_must_be_given_each_of_its_arguments(required):
    assert required(enough_door) == ["--required-sizes", "--dataset-info"]
