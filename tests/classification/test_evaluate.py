"""Classification by frozen features in small: records, predictions and evidence; one folder of features for all; the
same bits after kills."""

import json
import signal

import numpy as np
import pytest
import torch

from backbones.backbone import load_weights
from classification import embeddings
from classification.evaluate import by_linear_classifier, evaluate
from tests.classification.recipes import KNN, PROBE, run
from tests.kills import killed, results
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.data import labelled
from workflow.registry import tasks
from workflow.reporting.statistics.bootstrap import resample
from workflow.reporting.statistics.per_image import read
from workflow.training.resume.parts import FinishedParts
from workflow.training.shared_artifact import read_array


@pytest.fixture
def call(embedded, tmp_path):
    """call(task, recipe): the record of a run in a folder of that name."""

    def call(task, recipe, **changes):
        one, out = run(task, recipe, **changes), tmp_path / task
        evaluate(one, embedded.backbone, embedded.folder, embedded.check, tmp_path / f"{task}-state", out)
        return read_json(out / "metrics.json")

    return call


@pytest.mark.parametrize(("task", "recipe"), [("knn", KNN), ("linear_probe", PROBE)])
def test_a_record_has_what_its_evidence_and_predictions_say(call, task, recipe, tmp_path):
    record = call(task, recipe)
    predictions = read_json(tmp_path / task / "predictions.json")
    assert len(predictions) == 12
    wrong = [each["label"] != each["predicted"] for each in predictions]
    assert record["metrics"]["top1_error"] == pytest.approx(100 * np.mean(wrong))
    found = resample(read(tmp_path / task / "per_image.npz", tasks()[task].resampling), 5)
    assert {name: each.point for name, each in found.items()} == pytest.approx(record["metrics"])
    assert "12 test images, 40 training images" in record["protocol"]["split"]
    assert record["provenance"]["embeddings"]
    assert not record["provenance"]["changed"]


@pytest.mark.parametrize(("strengths", "best"), [([1e-3, 1e5], 1e-3), ([1e-3, 1e-2], 1e-2)])
def test_the_regularization_is_the_best_on_held_out_images_of_equals_the_largest(strengths, best, tmp_path):
    """A very large one leaves the largest class; small ones separate what can be separated."""
    draw = np.random.default_rng(0)
    labels = np.arange(60) % 5 % 3  # unequal classes
    train = (10 * np.eye(3)[labels] + draw.normal(size=(60, 3))).astype(np.float16)
    features = {"train": train, "test": train[:6]}
    parts = FinishedParts(tmp_path, {}, "probe")
    found = by_linear_classifier(run("linear_probe", PROBE, l2=strengths), features, labels, 3, parts)
    assert found.chosen == {"l2": best}
    same = "best of 2 on 5 held-out training images; then trained on all"
    assert found.protocol["l2"] == same, "backbones of other strengths stand in one column"
    assert found.predicted.tolist() == labels[:6].tolist()


def test_test_images_that_are_the_training_images_are_their_own_neighbours(embedded, tmp_path, monkeypatch):
    """And a record of them has no error: features, labels and images are in one order."""
    monkeypatch.setattr(labelled, "open_test", labelled.open_train)
    monkeypatch.setitem(embeddings.PARTS, "test", labelled.open_train)
    one = run("knn", KNN, k=1)
    embeddings.make(one, embedded.backbone, embedded.check, tmp_path / "features")
    evaluate(one, embedded.backbone, tmp_path / "features", embedded.check, tmp_path / "state", tmp_path / "out")
    assert read_json(tmp_path / "out/metrics.json")["metrics"]["top1_error"] == 0


def test_features_are_those_of_the_network_as_it_is(embedded):
    """Without a classifier, in eval mode: what torchvision's own network gives."""
    from torchvision.models import resnet18

    weights, prepare = load_weights(embedded.backbone)
    network = resnet18().eval()
    network.load_state_dict(weights, strict=False)
    network.fc = torch.nn.Identity()
    images = embeddings.test_images(labelled.open_test(DatasetInfo.read(embedded.check)), KNN)
    batch = torch.stack([images[place]["images"] for place in range(len(images))])
    with torch.no_grad():
        expected = network(prepare(batch)).numpy()
    np.testing.assert_allclose(read_array(embedded.folder, "test"), expected, rtol=2e-3, atol=1e-3)


def test_features_of_another_backbone_or_size_are_refused(embedded, tmp_path):
    check = DatasetInfo.read(embedded.check)
    assert embeddings.verify(embedded.folder, run("linear_probe", PROBE), check, embedded.backbone)["crop_size"] == 32
    with pytest.raises(UserError, match=r"made with resize_size 32, but this run has 40"):
        embeddings.verify(embedded.folder, run("knn", KNN, resize_size=40), check, embedded.backbone)
    with pytest.raises(UserError, match=r"index.json is missing: run `python -m classification embeddings` first"):
        embeddings.verify(tmp_path, run("knn", KNN), check, embedded.backbone)


@pytest.mark.slow
def test_a_killed_linear_probe_goes_on_with_its_finished_fits(embedded, tmp_path):
    words = ["--run-spec", json.dumps(run("linear_probe", PROBE).as_dict()), "--backbone", embedded.backbone]
    words += ["--dataset-info", embedded.check, "--embeddings", embedded.folder]
    kills = [["before", "*/parts/l2-1.json", 1], ["after", "*/parts/test.json", 1]]
    for name, plan in (("whole", []), ("killed", kills)):
        places = ["--checkpoint-dir", tmp_path / f"{name}-state", "--out", tmp_path / name]
        ended = killed("classification evaluate", tmp_path / f"{name}-log", plan, *words, *places)
        assert [end[0] for end in ended] == [signal.SIGKILL] * len(plan) + [0]
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
