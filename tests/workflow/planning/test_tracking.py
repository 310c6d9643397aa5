"""Which trainings are tracked, under which name, and what is refused before anything runs."""

import dataclasses
import json

import pytest
import yaml

from tests.demo import demo
from workflow.config.loading import load, overlay
from workflow.core.errors import UserError
from workflow.planning.plan import plan
from workflow.planning.preflight import load_plan
from workflow.planning.run_spec import RunSpec
from workflow.planning.tracking import VARIABLE

DEMO = demo()
ROWS = {"baseline": {}, "scratch": {"init": "random"}}
SMALL = DEMO | {"backbones": ROWS}
TRACKED = overlay(SMALL, {"resources": {"tracking": "tensorboard"}})


@pytest.fixture(autouse=True)
def _no_variable(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)


def test_no_command_says_anything_of_a_tracker_by_default():
    for run in plan(SMALL).runs:
        assert "tracking" not in json.loads(run.json)
    assert plan(SMALL).runs == plan(overlay(SMALL, {"resources": {"tracking": "none"}})).runs


def test_every_training_is_tracked_under_the_path_of_its_record():
    todo = plan(TRACKED)
    names = {run.record: run.tracking for run in todo.runs}
    assert names.pop("results/demo/ssd_voc/scratch/p0s0/metrics.json") == {
        "tracker": "tensorboard",
        "folder": "results/demo/tracking",
        "name": "ssd_voc/scratch/p0s0",
    }
    trained = {run.tracking["name"] for run in todo.runs if run.tracking}
    tasks = {f"{task}/{row}/p0s0" for task in DEMO["tasks"] for row in ROWS}
    assert trained == tasks | {"pretrain/baseline/p0"}, "a random backbone is not trained"
    assert {run.json for run in todo.artifacts} == {run.json for run in plan(SMALL).artifacts}


def test_it_is_in_the_command_and_not_in_the_record():
    one, other = plan(SMALL).runs[0], plan(TRACKED).runs[0]
    spec = RunSpec.parse(other.json)
    assert spec.tracking == other.tracking
    assert other.json in other.command
    assert spec.as_dict() == RunSpec.parse(one.json).as_dict() == one.run
    assert dataclasses.replace(other, tracking={}) == one


def test_the_environment_replaces_the_key(monkeypatch):
    monkeypatch.setenv(VARIABLE, "none")
    assert plan(TRACKED).runs == plan(SMALL).runs
    monkeypatch.setenv(VARIABLE, "mlflow")
    assert {run.tracking["tracker"] for run in plan(TRACKED).runs if run.tracking} == {"mlflow"}
    monkeypatch.setenv(VARIABLE, "")
    assert plan(TRACKED).runs[0].tracking["tracker"] == "tensorboard"


@pytest.fixture
def refused(tmp_path, capsys):
    """What a Snakemake call with a config says and ends with."""

    def call(config):
        (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
        with pytest.raises(SystemExit) as end:
            load_plan([tmp_path / "x.yaml"], {})
        assert end.value.code == 1
        return capsys.readouterr().err

    return call


def test_a_tracker_that_is_not_installed_is_refused_before_anything_runs(refused, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None)
    said = refused(overlay(SMALL, {"resources": {"tracking": "wandb"}}))
    assert said == "error: resources.tracking: wandb is not installed; install it with: python -m pip install wandb\n"
    monkeypatch.setenv(VARIABLE, "mlflow")
    assert refused(SMALL).startswith(f"error: {VARIABLE}: mlflow is not installed; install it with: ")


def test_a_folder_of_results_is_no_package(refused, tmp_path, monkeypatch):
    (tmp_path / "wandb").mkdir()
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("sys.path", [str(tmp_path)])
    assert "wandb is not installed" in refused(overlay(SMALL, {"resources": {"tracking": "wandb"}}))


def test_an_unknown_tracker_is_refused(refused, monkeypatch):
    said = refused(overlay(SMALL, {"resources": {"tracking": "comet"}}))
    assert "resources.tracking: must be none or tensorboard or wandb or mlflow, not 'comet'" in said
    monkeypatch.setenv(VARIABLE, "comet\n")
    said = refused(SMALL)
    assert said == f"error: {VARIABLE}: must be none or tensorboard or wandb or mlflow, not 'comet\\n'\n"


def test_a_task_of_the_folder_s_name_is_refused():
    config = overlay(SMALL, {"tasks": {"tracking": {"task": "ssd_voc", **DEMO["tasks"]["ssd_voc"]}}})
    with pytest.raises(UserError, match=r"tasks\.tracking: the name is taken"):
        load(json.dumps(config))
