"""A whole run of each task in small: its record, predictions and evidence, and the same bits after a kill."""

import json
import os
import shutil
from pathlib import Path

import pytest
import torch

from backbones.backbone import IMAGENET, save_backbone
from detection.cli import main
from detection.train import protocol, samples, scoring, train
from tests.checks import info
from tests.killed import killed_after
from tests.kills import survives
from tests.together import losses, trained
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json, write_json
from workflow.data import coco as coco_set
from workflow.training import engine

from . import outside
from .conftest import make_run


@pytest.fixture
def runner(checks, tiny, tmp_path, monkeypatch):
    """run(name, folder) trains in `folder` and returns the record and the final weights."""
    weights = {}
    fit = engine.fit

    def keep_weights(*args, **kwargs):
        done = fit(*args, **kwargs)
        weights.update({key: value.clone() for key, value in done.model.state_dict().items()})
        return done

    monkeypatch.setattr("detection.train.fit", keep_weights)

    def run(name: str, folder: str, start: Path = tiny, **changes) -> tuple[dict, dict]:
        out = tmp_path / folder
        train(make_run(name, **changes), start, checks[name], tmp_path / f"{folder}-state", out)
        return json.loads((out / "metrics.json").read_text()), dict(weights)

    return run


@pytest.fixture
def types():
    """Of what comes out of convolutions: (in training or not, type)."""
    found = set()

    def watch(module, _, out):
        if isinstance(module, torch.nn.Conv2d) and not out.is_meta:  # there, only shapes are of interest
            found.add((torch.is_grad_enabled(), out.dtype))

    handle = torch.nn.modules.module.register_module_forward_hook(watch)
    yield found
    handle.remove()


@pytest.mark.parametrize("name", ["ssd_voc", "faster_rcnn_voc"])
def test_killed_and_started_again_ends_with_the_same_bits(runner, voc, types, tmp_path, monkeypatch, capsys, name):
    """The slow tests kill ResNet-50."""
    whole, expected = runner(name, "whole", precision="bf16")
    assert types == {(True, torch.bfloat16), (False, torch.bfloat16)}, "evaluation too"
    with killed_after(2):
        runner(name, "killed", precision="bf16")
    assert not (tmp_path / "killed" / "metrics.json").exists()
    again, weights = runner(name, "killed", precision="bf16")
    assert "resumed at iteration 2 of 4" in capsys.readouterr().out
    assert weights.keys() == expected.keys()
    assert [key for key in weights if not torch.equal(weights[key], expected[key])] == []
    assert again["metrics"] == whole["metrics"]
    assert again["history"] == whole["history"]
    predictions = [(tmp_path / folder / "predictions.json").read_bytes() for folder in ("whole", "killed")]
    assert predictions[0] == predictions[1]
    assert len(json.loads(predictions[0])) > 0
    assert not (tmp_path / "killed-state").exists()
    files = [tmp_path / "whole" / name for name in ("predictions.json", "per_image.npz")]
    assert files[1].read_bytes() == (tmp_path / "killed" / "per_image.npz").read_bytes()
    check_record(whole, name, scored_again(voc.check, *files, tmp_path / "again.npz", monkeypatch, capsys))
    mine = outside.voc(files[0], voc.root, DatasetInfo.read(voc.check).classes, as_devkit=False)
    assert mine == pytest.approx(whole["metrics"]["mAP"], abs=1e-4)


def scored_again(check: Path, predictions: Path, evidence: Path, again: Path, monkeypatch, capsys) -> dict:
    """What `python -m detection evaluate` prints; the evidence that it writes is the run's own."""
    command = ["detection", "evaluate", "--predictions", predictions, "--dataset-info", check, "--evidence", again]
    monkeypatch.setattr("sys.argv", [str(part) for part in command])
    capsys.readouterr()
    main()
    assert again.read_bytes() == evidence.read_bytes()
    return json.loads(capsys.readouterr().out)


def check_record(record: dict, name: str, scored_again: dict) -> None:
    """The record tells how its numbers were made, and scored again they are the same, to the last digit."""
    assert record["task"] == name
    assert record["metrics"] == {key: scored_again[key] for key in ("mAP", "mAP_area")}
    assert record["per_class"] == scored_again["per_class"]
    protocol = record["protocol"]
    assert protocol["fine_tuning"] == "frozen stages 1, batch norm frozen"
    assert protocol["preprocessing"]["channel_order"] == "RGB"
    assert protocol["split"].endswith("tested on VOC07 test (6 images)")
    assert record["best"]["mAP"] >= record["metrics"]["mAP"]


def test_coco_is_trained_and_scored_by_its_own_rules(runner, types, checks, coco, tmp_path, monkeypatch, capsys):
    record, _ = runner("faster_rcnn_coco", "coco", eval_interval=2)
    assert list(record["metrics"]) == ["AP", "AP50", "AP75"]
    assert types == {(True, torch.float32), (False, torch.float32)}
    assert record["protocol"]["split"] == "trained on train2014 (12 images), tested on val2014 (6)"
    assert record["best"]["AP"] >= record["metrics"]["AP"]
    assert len(record["history"]["evaluations"]) == 2
    assert "index" not in capsys.readouterr().out, "pycocotools keeps quiet"
    files = [tmp_path / "coco" / name for name in ("predictions.json", "per_image.npz")]
    again = scored_again(checks["faster_rcnn_coco"], *files, tmp_path / "again.npz", monkeypatch, capsys)
    assert again == record["metrics"] | {"per_class": record["per_class"]}
    assert list(again["per_class"]) == ["circle", "square", "triangle", "star"]
    mine = outside.coco(files[0], coco.root)
    assert mine == pytest.approx([record["metrics"]["AP"], record["metrics"]["AP50"]], abs=1e-4)
    found = json.loads(files[0].read_text())
    assert found
    assert {one["category_id"] for one in found} <= {1, 2, 3, 5}


def test_the_protocol_counts_the_images_that_hold_an_object(tiny, coco, tmp_path):
    root = shutil.copytree(coco.root, tmp_path / "coco")
    path = root / "annotations/instances_train2014.json"
    instances = read_json(path)
    gone = {image["id"] for image in instances["images"][:3]}
    instances["annotations"] = [one for one in instances["annotations"] if one["image_id"] not in gone]
    write_json(path, instances)
    coco_set.check(coco.section, root).write(tmp_path / "coco.json")
    train(make_run("faster_rcnn_coco"), tiny, tmp_path / "coco.json", tmp_path / "state", tmp_path)
    said = read_json(tmp_path / "metrics.json")["protocol"]["split"]
    assert said == "trained on train2014 (12 images, the 9 with an object), tested on val2014 (6)"


def test_the_protocol_says_what_the_backbone_says_of_itself():
    about = {"network": "resnet50", "stride": "1x1"}
    assert protocol(make_run("ssd_voc"), {"split": "x"}, IMAGENET, about).items() >= {"split": "x", **about}.items()


def test_sets_are_named_with_their_numbers():
    voc = info(set="voc", counts={"trainval07": 50, "trainval12": 115, "test07": 49})
    coco = info(counts={"train_images": 80, "test_images": 40})
    assert (samples(voc), samples(coco)) == (165, 80)
    voc_split = "trained on VOC07+12 trainval (50 + 115 images{}), tested on VOC07 test (49 images)"
    assert scoring(voc, 165)["split"] == voc_split.format("")
    assert scoring(voc, 160)["split"] == voc_split.format(", the 160 with an object")
    coco_split = "trained on train2014 (80 images{}), tested on val2014 (40)"
    assert scoring(coco, 80)["split"] == coco_split.format("")
    assert scoring(coco, 79)["split"] == coco_split.format(", the 79 with an object")
    assert scoring(voc, 1)["metric"].startswith("VOC mAP at IoU 0.5, 11-point rule (mAP_area: area rule)")
    assert scoring(coco, 1)["metric"].startswith("COCO AP over IoU 0.5 to 0.95 (AP50, AP75: at 0.5, 0.75)")


@pytest.mark.slow
@pytest.mark.skipif("REALMINI" not in os.environ, reason="REALMINI does not name a folder of real photos")
def test_real_photos_with_crowds_and_80_classes(published, tmp_path, monkeypatch, capsys):
    section, check = {"root": f"{os.environ['REALMINI']}/coco", "split": "2014"}, tmp_path / "coco.json"
    coco_set.check(section, Path(section["root"])).write(check)
    train(make_run("faster_rcnn_coco"), published.path, check, tmp_path / "state", tmp_path)
    record = json.loads((tmp_path / "metrics.json").read_text())
    assert len(record["per_class"]) == 80
    assert None in record["per_class"].values(), "a class of no test photo"
    files = [tmp_path / name for name in ("predictions.json", "per_image.npz")]
    again = scored_again(check, *files, tmp_path / "again.npz", monkeypatch, capsys)
    assert again == record["metrics"] | {"per_class": record["per_class"]}


def test_a_backbone_that_does_not_fit_trains_nothing(voc, tmp_path):
    path = tmp_path / "odd.safetensors"
    save_backbone(
        path, {"conv1.weight": torch.zeros(64, 3, 7, 7)}, IMAGENET, "resnet50", origin="random", classes=[], recipe=""
    )
    with pytest.raises(UserError, match=r"keys missing: bn1\.bias"):
        train(make_run("ssd_voc"), path, Path(voc.check), tmp_path / "state", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_killed_in_each_of_its_phases(voc, published, tmp_path):
    """4 iterations of 2 images, evaluated once."""
    kills = [
        ["step", 1],  # inside an epoch: the state of before that step
        ["half", "*.pth", 2],  # inside a checkpoint
        ["before", "*.pth", 3],  # and when it has not got its name
        ["half", "*-state/predictions.json", 1],  # in the evaluation, after step 3
        ["half", "*/killed/predictions.json", 1],
        ["after", "*/killed/per_image.npz", 1],
        ["before", "*/killed/metrics.json", 1],
    ]
    told = json.dumps(make_run("ssd_voc").as_dict())
    words = ["--run-spec", told, "--backbone", published.path, "--dataset-info", voc.check]
    survives("detection", tmp_path, kills, [1, 1, 2, 3, 4, 4, 4], 2, *words)


@pytest.mark.slow
def test_two_runs_of_faster_rcnn_end_with_the_same_bits(voc, published, tmp_path):
    """In processes of their own; one of them is killed. Of the other tasks the tests of their phases show it."""
    told = json.dumps(make_run("faster_rcnn_voc").as_dict())
    words = ["--run-spec", told, "--backbone", published.path, "--dataset-info", voc.check]
    survives("detection", tmp_path, [["step", 2]], [2], 2, *words)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ssd_voc", "retinanet_voc"])
def test_two_processes_learn_what_one_does(checks, published, tmp_path, name):
    run = make_run(name, batch_size=4, lr=1e-5)
    for folder in (tmp_path / "alone", tmp_path):
        folder.mkdir(exist_ok=True)
    train(run, published.path, checks[name], tmp_path / "alone/state", tmp_path / "alone/out")
    one = read_json(tmp_path / "alone/out/metrics.json")
    two = trained("detection", run, tmp_path, backbone=published.path, data=checks[name])
    assert losses(two) == pytest.approx(losses(one), rel=1e-3), "a mean over the priors of the whole batch"
    mine, theirs = (read_json(folder / "out/predictions.json") for folder in (tmp_path / "alone", tmp_path))
    assert [each["image_id"] for each in theirs] == [each["image_id"] for each in mine]
    assert [each["score"] for each in theirs] == pytest.approx([each["score"] for each in mine], abs=1e-3)
    assert two["metrics"]["mAP_area"] == pytest.approx(one["metrics"]["mAP_area"], abs=0.5)
