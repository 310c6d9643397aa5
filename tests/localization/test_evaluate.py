"""A finished classifier is localized with: its record, predictions and evidence, and what a kill leaves."""

import json

import numpy as np
import pytest
import torch

from backbones.backbone import load_weights, save_backbone
from localization import evaluate as module
from localization.boxes import level
from localization.cost import cost
from localization.evaluate import evaluate
from tests.localization.recipes import CAM, run
from workflow.core.errors import UserError
from workflow.core.files import read_json

METRICS = {"MaxBoxAccV2", "MaxBoxAcc", "GT-known", "Top-1 Loc", "top1_error"}


class Kill(BaseException):
    """As from outside: no handler of the run's own sees it."""


@pytest.fixture
def call(imagenet, backbone, tmp_path):
    """call(folder, changes of the recipe): the record of an evaluation in that folder."""

    def call(name, **changes):
        one = run("cam_imagenet", CAM, imagenet.section, **changes)
        evaluate(one, backbone, imagenet.check, tmp_path / f"{name}-state", tmp_path / name)
        return json.loads((tmp_path / name / "metrics.json").read_text())

    return call


def test_the_record_is_what_its_evidence_says(call, tmp_path):
    record = call("run")
    assert record["metrics"].keys() == METRICS
    with np.load(tmp_path / "run/per_image.npz") as evidence:
        assert evidence["images"].shape == (4,)
        for name in METRICS:
            assert record["metrics"][name] == pytest.approx(evidence[name].mean())
    assert "thresholds chosen on 8 of 12 validation images" in record["protocol"]["split"]
    predictions = read_json(tmp_path / "run/predictions.json")
    assert predictions["thresholds"] == record["thresholds"]
    at = level(record["thresholds"]["MaxBoxAcc"])
    assert predictions["curves"]["BoxAcc"][at] == pytest.approx(record["metrics"]["MaxBoxAcc"])
    assert len(predictions["images"]) == len(predictions["photos"]) == 4
    assert np.shape(predictions["photos"][0]["map"]) == (1, 1), "a ResNet-18 at 32 px"
    assert record["references"]["centred Gaussian"].keys() == {"MaxBoxAccV2", "MaxBoxAcc", "GT-known"}
    assert str(tmp_path) not in json.dumps(predictions), "no path of this machine"


def test_top1_loc_is_the_same_with_the_map_of_the_true_and_of_the_predicted_class(call):
    """As only right predictions count."""
    sizes = {"resize_size": 96, "crop_size": 96}  # maps of 3 x 3 cells
    true, predicted = call("a", **sizes), call("b", **sizes, cam_class="predicted")
    assert true["metrics"]["top1_error"] == predicted["metrics"]["top1_error"]
    assert true["metrics"]["Top-1 Loc"] == predicted["metrics"]["Top-1 Loc"]
    assert true["protocol"]["map"] != predicted["protocol"]["map"]


def test_a_killed_evaluation_goes_on_with_its_finished_parts(call, monkeypatch, tmp_path):
    whole = call("whole")
    monkeypatch.setattr(module, "PART", 5)
    score, asked = module.Evaluation.score, []

    def dying(self, places):
        asked.append(places.start)
        if asked == [0, 5]:
            raise Kill
        return score(self, places)

    monkeypatch.setattr(module.Evaluation, "score", dying)
    with pytest.raises(Kill):
        call("killed")
    assert not (tmp_path / "killed/metrics.json").exists()
    resumed = call("killed")
    assert asked == [0, 5, 5, 10], "the first part is not computed again"
    assert resumed["metrics"] == whole["metrics"]
    assert resumed["files"]["per_image.npz"] == whole["files"]["per_image.npz"]


def test_classes_are_found_by_their_names(call, imagenet, backbone, tmp_path):
    """In another order, and among others, which no photo is taken for."""
    weights, prepare = load_weights(backbone)
    order = [2, 0, 3, 1]
    weights["fc.weight"] = torch.cat([weights["fc.weight"][order], torch.zeros(1, 512)])
    weights["fc.bias"] = torch.cat([weights["fc.bias"][order], torch.full((1,), 1e4)])
    names = [f"n0000000{n + 1}" for n in order]
    save_backbone(tmp_path / "b.safetensors", weights, prepare, "resnet18", classes=[*names, "n00000009"])
    other, sizes = run("cam_imagenet", CAM, imagenet.section, resize_size=64, crop_size=64), {"resize_size": 64}
    evaluate(other, tmp_path / "b.safetensors", imagenet.check, tmp_path / "s", tmp_path / "o")
    before, after = call("a", **sizes, crop_size=64), read_json(tmp_path / "o/metrics.json")
    assert after["metrics"] == before["metrics"]
    predictions = [read_json(tmp_path / folder / "predictions.json") for folder in ("a", "o")]
    assert predictions[0]["images"] == predictions[1]["images"]
    np.testing.assert_allclose(*([photo["map"] for photo in one["photos"]] for one in predictions), atol=1e-4)


def test_other_classes_are_refused(imagenet, backbone, tmp_path):
    weights, prepare = load_weights(backbone)
    other = tmp_path / "b.safetensors"
    save_backbone(other, weights, prepare, "resnet18", classes=["a", "b", "c", "d"])
    with pytest.raises(UserError, match="its 4 classes lack n00000001"):
        evaluate(run("cam_imagenet", CAM, imagenet.section), other, imagenet.check, tmp_path / "s", tmp_path / "o")


def test_what_an_image_costs(imagenet, tmp_path):
    seconds = cost(run("cam_imagenet", CAM, imagenet.section), imagenet.check, tmp_path, "resnet18")
    assert seconds.keys() == {"image", "timed"}
    assert seconds["image"] > 0
