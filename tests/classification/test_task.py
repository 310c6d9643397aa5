"""What the tasks declare: features are shared, any labelled set will do, networks need no classifier, and cost counts
what a run passes."""

import pytest

from classification.cost import cost
from classification.embeddings import make
from classification.evaluate import evaluate
from classification.task import HELD_OUT
from classification.train import train
from tests.classification.recipes import FINETUNE, KNN, PROBE, run
from tests.demo import demo
from workflow.config.loading import check
from workflow.core.files import read_json
from workflow.planning.plan import plan
from workflow.registry import tasks

DATA = {"fashion_mnist": {"synthetic": {"classes": 4, "train": 20, "test": 8, "seed": 0}}}


def planned(**tasks):
    """The plan of the demo's two first rows with these tasks."""
    config = demo("baseline", "cutmix") | {"tasks": tasks}
    return plan(check(config | {"data": config["data"] | DATA}, "x.yaml"))


def test_knn_and_linear_probe_share_the_features_of_a_backbone():
    both = planned(knn=KNN, linear_probe=PROBE, again={"task": "knn", **KNN, "k": 1})
    assert len(both.artifacts) == 2, "one folder a backbone"
    assert len({run.shared["embeddings"] for run in both.runs if run.task != "pretrain"}) == 2
    assert len(planned(knn=KNN, linear_probe=PROBE | {"crop_size": 32, "resize_size": 40}).artifacts) == 4


def test_who_shares_the_features_is_no_reason_to_compute_them_again():
    alone, both = planned(knn=KNN), planned(knn=KNN, linear_probe=PROBE)
    assert [(one.artifact, one.compared, one.command) for one in alone.artifacts] == [
        (one.artifact, one.compared, one.command) for one in both.artifacts
    ]


@pytest.mark.parametrize("data", ["fashion_mnist", "cub"])
def test_any_labelled_set_will_do(data, backbone, tmp_path, request):
    found = request.getfixturevalue(data)
    make(run("knn", KNN), backbone, found.check, tmp_path / "features")
    places = found.check, tmp_path / "state"
    evaluate(run("knn", KNN), backbone, tmp_path / "features", *places, tmp_path / "knn")
    train(run("finetune", FINETUNE, epochs=1), backbone, *places, tmp_path / "finetune")
    names = [read_json(tmp_path / task / "metrics.json")["metrics"].keys() for task in ("knn", "finetune")]
    assert names == [{metric.name for metric in tasks()[task].metrics} for task in ("knn", "finetune")]


def test_a_fine_tuning_counts_what_it_passes():
    sizes = tasks()["finetune"].sizes
    assert sizes({"fraction": 1.0}, 60_000, 10_000) == (54_000, 54_000 + 6_000 + 10_000)
    assert sizes({"fraction": 0.1}, 60_000, 10_000) == (5_400, 5_400 + 6_000 + 10_000)
    assert HELD_OUT == 0.1
    assert tasks()["knn"].sizes({}, 60_000, 10_000) == (60_000, 10_000)


@pytest.mark.parametrize(
    ("task", "recipe", "measured"),
    [
        ("knn", KNN, {"embeddings", "image", "timed"}),
        ("linear_probe", PROBE, {"embeddings", "image", "timed"}),
        pytest.param("finetune", FINETUNE, {"step", "batch", "image", "save", "timed"}, marks=pytest.mark.slow),
    ],
)
def test_the_seconds_are_measured(task, recipe, measured, imagenet, tmp_path, monkeypatch):
    monkeypatch.setattr("classification.cost.ROWS", 50)
    monkeypatch.setattr("classification.embeddings.BATCH", 5)
    from workflow.training.timing import shortened

    one = shortened(run(task, recipe, batch_size=6) if task == "finetune" else run(task, recipe))
    found = cost(one, imagenet.check, tmp_path, "resnet18")
    assert found.keys() == measured
    assert all(0 < seconds < 60 for seconds in found.values())
