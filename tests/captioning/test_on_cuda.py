"""The captioner on a pretended device: features, training, a kill and a resume, the beam search."""

from dataclasses import replace

import numpy as np
import pytest

from captioning import feature_cache, train
from tests.pretended_cuda.runtime import pretended_cuda
from tests.pretended_cuda.trainings import survives
from workflow.core.files import read_json
from workflow.training import engine
from workflow.training.shared_artifact import read_array

pytestmark = pytest.mark.usefixtures("no_meteor")


@pytest.mark.parametrize("finetune", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["frozen", "fine-tuned"])
def test_a_run_survives_a_kill(finetune, artifacts, run, tmp_path, monkeypatch):
    """With draws of the device's own generator, those of dropout; its captions are found by the beam search."""
    changes = {"epochs": 1, "batch_size": 30, "finetune_encoder": finetune, "dropout": 0.5}
    run = replace(run, recipe={**run.recipe, **changes, "precision": "bf16" if finetune else "fp32"})
    fit = engine.fit

    def fitted(*args):
        done = fit(*args)
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


def test_features_are_those_of_the_cpu(artifacts, run, tmp_path):
    with pretended_cuda() as device:
        feature_cache.make(run, artifacts.backbone, artifacts.check, tmp_path)
    for split in ("train", "test"):
        found, expected = (read_array(folder, split) for folder in (tmp_path, artifacts.features))
        np.testing.assert_allclose(found, expected, rtol=1e-2, atol=1e-3)
    assert sum(device.costs.kernels.values()) > 100, "they were made on the device"
