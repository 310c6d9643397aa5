"""The captioner on a pretended device: features, training, a kill and a resume, the beam search."""

from dataclasses import replace

import numpy as np
import pytest

from backbones.backbone import IMAGENET
from captioning import feature_cache, train
from captioning.encoder import Encoder
from captioning.model import NIC
from tests.pretended_cuda.runtime import pretended_cuda
from tests.pretended_cuda.trainings import costs_of_a_step, survives
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.data import coco
from workflow.training import engine
from workflow.training.shared_artifact import read_array

pytestmark = pytest.mark.usefixtures("no_meteor")


@pytest.mark.parametrize("finetune", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["frozen", "fine-tuned"])
def test_a_run_survives_a_kill(finetune, artifacts, run, tmp_path, monkeypatch):
    """With draws of the device's own generator, those of dropout; its captions are found by the beam search."""
    changes = {"epochs": 1, "batch_size": 30, "finetune_encoder": finetune, "dropout": 0.5}
    run = replace(run, recipe={**run.recipe, **changes, "precision": "bf16" if finetune else "fp32"})
    fit = engine.fit

    def fitted(*args, **more):
        done = fit(*args, **more)
        assert done.model.embed.weight.is_cuda
        pieces = {weight.untyped_storage().data_ptr() for weight in done.model.lstm._flat_weights}
        assert len(pieces) == 1, "or cuDNN copies the LSTM's weights into one piece in each step"
        return done

    monkeypatch.setattr("captioning.train.fit", fitted)

    def go(folder):
        given = (artifacts.backbone, artifacts.features, artifacts.vocabulary, artifacts.check)
        train.train(run, *given, tmp_path / folder / "state", tmp_path / folder / "out")
        record = read_json(tmp_path / folder / "out/metrics.json")
        return record["metrics"], record["history"], read_json(tmp_path / folder / "out/predictions.json")

    _, history, predictions = survives(go)
    assert [len(history["points"]), len(history["evaluations"]), len(predictions)] == [1, 1, 6]


@pytest.mark.parametrize("memory", [2**33, 0], ids=["features on the device", "features on the host"])
def test_a_step_waits_for_nothing(memory, artifacts, run, tmp_path, monkeypatch):
    monkeypatch.setattr("tests.pretended_cuda.runtime.MEMORY", memory)
    given = (artifacts.backbone, artifacts.features, artifacts.vocabulary, artifacts.check, tmp_path / "state")
    costs = costs_of_a_step(lambda: train.train(run, *given, tmp_path / "out"))
    assert costs.waits == {}
    assert any("captioning/model.py" in line for line in costs.kernels)


def test_where_the_features_are_changes_nothing(artifacts, run, tmp_path, monkeypatch):
    """On the device or on the host next to it: the same curve, with dropout."""
    one, curves, gathered = replace(run, recipe={**run.recipe, "epochs": 1, "dropout": 0.5}), [], []
    gather = NIC.gather
    monkeypatch.setattr(NIC, "gather", lambda self, places: gathered.append(len(places)) or gather(self, places))
    for place, memory in (("device", 2**33), ("host", 0)):
        monkeypatch.setattr("tests.pretended_cuda.runtime.MEMORY", memory)
        out = tmp_path / place / "out"
        given = (artifacts.backbone, artifacts.features, artifacts.vocabulary, artifacts.check)
        with pretended_cuda():
            train.train(one, *given, tmp_path / place / "state", out)
        curves.append([point["loss"] for point in read_json(out / "metrics.json")["history"]["points"]])
        assert gathered == [10] * 6, "in the six steps with the features on the device"
    assert curves[0] == curves[1]


def test_features_wait_once_a_batch_for_the_one_before_it(artifacts, run):
    samples = coco.read(DatasetInfo.read(artifacts.check), "train")
    views = feature_cache.Views(samples * 8, "train", run.recipe, 2048)
    with pretended_cuda() as device:
        encoder = Encoder(IMAGENET, registry.network("resnet50")).to("cuda")
        device.costs.clear()
        sizes, kernels = [], []
        for features in feature_cache.encoded(encoder, views, run):
            sizes.append(len(features))
            kernels.append(sum(device.costs.kernels.values()))
    assert sizes == [32, 32, 32]
    assert [reason for reason, _ in device.costs.waits.elements()] == ["an event"] * 3
    assert kernels[0] > 1.5 * kernels[2] / 3, "the second batch is computed when the first one arrives"
    assert kernels[1] == kernels[2]


def test_features_are_those_of_the_cpu(artifacts, run, tmp_path):
    with pretended_cuda() as device:
        feature_cache.make(run, artifacts.backbone, artifacts.check, tmp_path)
    for split in ("train", "test"):
        found, expected = (read_array(folder, split) for folder in (tmp_path, artifacts.features))
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    assert sum(device.costs.kernels.values()) > 100, "they were made on the device"
