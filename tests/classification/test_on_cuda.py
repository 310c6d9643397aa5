"""Classification on a pretended device: every tensor is where it belongs, and the numbers are the CPU's."""

import pytest

from classification import embeddings
from classification.evaluate import evaluate
from classification.train import train
from tests.classification.recipes import FINETUNE, KNN, PROBE, run
from tests.pretended_cuda.runtime import pretended_cuda
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.data import labelled


@pytest.mark.parametrize(("task", "recipe"), [("knn", KNN), ("linear_probe", PROBE | {"l2": [1.0]})])
def test_frozen_features_are_classified_there(embedded, task, recipe, tmp_path):
    one = run(task, recipe)
    evaluate(one, embedded.backbone, embedded.folder, embedded.check, tmp_path / "cpu-state", tmp_path / "cpu")
    with pretended_cuda():
        embeddings.make(one, embedded.backbone, embedded.check, tmp_path / "features")
        evaluate(one, embedded.backbone, tmp_path / "features", embedded.check, tmp_path / "state", tmp_path / "device")
    cpu, device = (read_json(tmp_path / name / "metrics.json") for name in ("cpu", "device"))
    assert device["provenance"]["gpus"] == 1
    assert device["metrics"] == pytest.approx(cpu["metrics"], abs=9), "an image may be on an edge"


def test_features_wait_once_a_batch(embedded):
    """For the batch before it, when the device has the work for this one."""
    one, check = run("knn", KNN), DatasetInfo.read(embedded.check)
    with pretended_cuda() as device:
        embedder = embeddings.Embedder(embedded.backbone)
        device.costs.clear()
        images = embeddings.test_images(labelled.open_train(check), one.recipe)
        found = list(embedder.batches(images, one))
    assert sum(map(len, found)) == len(images)
    assert [reason for reason, _ in device.costs.waits.elements()] == ["an event"] * len(found)


def test_a_fine_tuning(imagenet, backbone, tmp_path):
    with pretended_cuda():
        train(run("finetune", FINETUNE, epochs=1), backbone, imagenet.check, tmp_path / "state", tmp_path / "out")
    record = read_json(tmp_path / "out/metrics.json")
    assert record["provenance"]["gpus"] == 1
    assert len(record["history"]["points"]) > 0
