"""The classes of data on which a backbone's own classifier is scored are among those of its pretraining set."""

import dataclasses
import json
import sys

import pytest
import yaml

from tests.checks import info
from tests.robustness.recipes import SIZES
from workflow.config.loading import load
from workflow.core.errors import UserError
from workflow.planning.dataset_classes import check_dataset_classes, class_faults, main, required_classes
from workflow.planning.plan import plan
from workflow.planning.preflight import load_plan

FEW = {"classes": 3, "test": 4, "size": 48, "seed": 0}
MESSAGE = "tasks.imagenet_r: r has classes that the pretraining set p lacks: n3; no classifier of a backbone knows them"


@pytest.fixture
def config(demo):
    return demo | {
        "data": demo["data"] | {"imagenet_r": {"synthetic": FEW}},
        "tasks": {"imagenet_r": {"batch_size": 8, **SIZES}, "ssd_voc": demo["tasks"]["ssd_voc"]},
    }


@pytest.fixture(scope="module")
def demo():
    from tests.conftest import PROJECT

    return load(PROJECT / "config/demo.yaml")


@pytest.fixture
def checked(config, tmp_path, monkeypatch):
    """checked(classes of the task's data): the checks are there."""
    monkeypatch.chdir(tmp_path)

    def write(*classes):
        checks = plan(config).checks
        for name, root, known in (("imagenet", "p", ["n1", "n2"]), ("imagenet_r", "r", list(classes))):
            path = tmp_path / checks[name]
            path.parent.mkdir(parents=True, exist_ok=True)
            dataclasses.replace(info("x"), set=name, root=root, classes=known).write(path)
        return checks

    return write


def test_only_tasks_that_score_a_classifier_on_other_data_ask(config):
    checks = plan(config).checks
    expected = [("tasks.imagenet_r", checks["imagenet_r"], checks["imagenet"])]
    assert required_classes(config, checks) == expected
    brought = {"mine": {"checkpoint": "w.pth"}}
    assert required_classes(config | {"backbones": brought}, checks) == [], "its classes are in the file"
    assert required_classes(config | {"backbones": brought | {"scratch": {"init": "random"}}}, checks) == expected


def test_classes_that_are_missing_are_named(config, checked):
    check_dataset_classes(config, checked("n2", "n1"), "x.yaml")
    with pytest.raises(UserError, match=f"^x.yaml: {MESSAGE}$"):
        check_dataset_classes(config, checked("n2", "n3"), "x.yaml")


def test_without_both_checks_it_is_asked_later(config, checked, tmp_path):
    checks = checked("n3", "n4")
    (tmp_path / checks["imagenet"]).unlink()
    check_dataset_classes(config, checks, "x.yaml")


def test_a_call_of_snakemake_ends_with_it(config, checked, tmp_path, capsys):
    checked("n2", "n3")
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    with pytest.raises(SystemExit):
        load_plan(["x.yaml"], {})
    assert capsys.readouterr().err == f"error: x.yaml: {MESSAGE}\n"


@pytest.mark.parametrize("classes", [("n1",), ("n2", "n3")])
def test_the_job_that_waits_for_all_checks_asks(config, checked, monkeypatch, capsys, classes):
    pairs = required_classes(config, checked(*classes))
    assert len(list(class_faults(pairs))) == len(classes) - 1
    monkeypatch.setattr(sys, "argv", ["x", "--pairs", json.dumps(pairs)])
    if len(classes) == 1:
        main()
        return
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err == f"error: {MESSAGE}\n"
