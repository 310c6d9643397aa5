"""Evaluation and fine-tuning on a pretended device: every tensor is where it belongs, and the numbers are the CPU's."""

from localization.evaluate import evaluate
from localization.train import train
from tests.localization.recipes import CAM, WSOL, run
from tests.pretended_cuda.runtime import pretended_cuda
from workflow.core.files import read_json


def test_maps_of_a_finished_classifier(imagenet, backbone, tmp_path):
    one = run("cam_imagenet", CAM, imagenet.section)
    evaluate(one, backbone, imagenet.check, tmp_path / "cpu-state", tmp_path / "cpu")
    with pretended_cuda() as device:
        evaluate(one, backbone, imagenet.check, tmp_path / "device-state", tmp_path / "device")
    cpu, found = (read_json(tmp_path / name / "metrics.json") for name in ("cpu", "device"))
    assert found["provenance"]["gpus"] == 1
    assert found["metrics"] == cpu["metrics"]
    copies = {line: n for (reason, line), n in device.costs.waits.items() if reason == "a copy to the device"}
    assert {n for line, n in copies.items() if "localization/" in line} == {1}, "of the figures' photos, not of batches"


def test_a_fine_tuning(cub, backbone, tmp_path):
    one = run("wsol_cub", WSOL, {}, batch_size=12)
    with pretended_cuda():
        train(one, backbone, cub.check, tmp_path / "state", tmp_path / "out")
    record = read_json(tmp_path / "out/metrics.json")
    assert record["provenance"]["gpus"] == 1
    assert len(record["history"]["points"]) > 0
