"""Bringing a file, whole: what is published, recorded and told, and what stops it."""

import json
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file
from torchvision.models import resnet18

from backbones.backbone import IMAGENET, Preprocessing, load_weights, metadata, save_backbone
from pretrain import evaluate
from pretrain.cli import main
from pretrain.import_backbone import import_checkpoint, others, published, refuse_misdeclared
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json, sha256
from workflow.planning.run_spec import RunSpec

BGR = {"channel_order": "BGR", "mean": [103.53, 116.28, 123.675], "std": [1, 1, 1]}


@pytest.fixture
def imported(solved, imagenet, tmp_path):
    """imported(content, **declared): save the content as a file and bring it; returns the folder of the results."""

    def call(content, out="out", **declared):
        path = tmp_path / "mine.pth"
        torch.save(content, path)
        recipe = {"preprocessing": "imagenet", "stride": "3x3", "checkpoint_key": None, **solved.recipe, **declared}
        recipe = {"sha256": sha256(path), **recipe, "checkpoint": str(path)}
        run = RunSpec("pretrain", "mine", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=0)
        import_checkpoint(run, path, imagenet.check, tmp_path / out)
        return tmp_path / out

    return call


def without_fc(weights):
    return {key: value for key, value in weights.items() if not key.startswith("fc.")}


def test_a_backbone_with_the_datas_classes_is_scored_and_published(imported, solved, imagenet, capsys):
    out = imported({"state_dict": {f"module.{k}": v for k, v in solved.weights.items()}, "best_err1": 1})
    record, about = read_json(out / "metrics.json"), metadata(out / "backbone.safetensors")
    assert record["metrics"] == {"top1_error": 0.0, "top5_error": 0.0}
    assert record["protocol"] == {"epoch": "imported", "split": "12 validation images, resize 48, crop 48"}
    assert record["checkpoint"] == {
        **{
            "file": "mine.pth",
            "sha256": sha256(out.parent / "mine.pth"),
            "layout": "state dict under state_dict/module",
        },
        **{"weights": "only", "matched": 320, "left_over": [], "classes": 4, "stride": "3x3"},
    }
    assert record["provenance"]["backbone"] == sha256(out / "backbone.safetensors")
    assert record["parameters"] == 25_557_032, "as published: with a classifier of 1,000 classes"
    assert (about["origin"], about["network"], about["stride"]) == ("imported", "resnet50", "3x3")
    found = load_file(out / "backbone.safetensors")
    assert all(torch.equal(found[key], value) for key, value in solved.weights.items())
    check = DatasetInfo.read(imagenet.check)
    assert evaluate.evaluate(out / "backbone.safetensors", check, solved.recipe, 1) == record["metrics"]
    with np.load(out / "per_image.npz") as evidence:
        assert set(evidence) == {"images", "top1_error", "top5_error"}
        assert evidence["images"].shape == evidence["top1_error"].shape == (12,)
        assert evidence["top1_error"].mean() == 0
    told = capsys.readouterr().out
    assert "mine.pth: state dict under state_dict/module, the weights that it has\n" in told
    assert "320 keys matched, 0 left over\n" in told
    assert "its classifier has the data's 4 classes: scored before it is published\n" in told
    assert "top1_error 0.00 %, top5_error 0.00 %" in told


def test_a_classifier_in_another_order_stops_the_run(imported, solved, tmp_path):
    rolled = {key: value.roll(1, 0) if key.startswith("fc.") else value for key, value in solved.weights.items()}
    with pytest.raises(UserError, match=r"right on 0\.00 % of 12 validation images of 4 classes, which is near chance"):
        imported(rolled)
    assert not (tmp_path / "out").exists()


def test_the_likely_causes_are_named(imported, solved):
    dead = {**solved.weights, "fc.weight": torch.zeros(4, 2048), "fc.bias": torch.zeros(4)}
    with pytest.raises(UserError, match="near chance; nothing is published") as caught:
        imported(dead)
    for cause in ("channel order", "mean or std", "stride: 1x1", "order of the classes"):
        assert cause in str(caught.value)


@pytest.mark.parametrize(
    ("prepare", "stride", "said"),
    [
        (
            Preprocessing("BGR", IMAGENET.mean[::-1], IMAGENET.std[::-1]),
            "3x3",
            "channel_order: RGB, mean and std turned",
        ),
        (IMAGENET, "1x1", "stride: 3x3"),
    ],
)
def test_what_is_misdeclared_is_told_by_the_scores(prepare, stride, said, solved, imagenet):
    """As if the solved network had been wrong on every image as it is declared."""
    run = RunSpec(
        "pretrain", "mine", {"pretrain": 0}, {**solved.recipe, "stride": stride}, {}, threads=1, workers=0, gpus=0
    )
    check = DatasetInfo.read(imagenet.check)
    with pytest.raises(
        UserError, match=rf"right on 0\.0 % of 12 .*, but on 100\.0 % with {said}.*; nothing is published"
    ):
        refuse_misdeclared(run, "a.pth", solved.weights, prepare, check, [1] * 12)
    refuse_misdeclared(run, "a.pth", solved.weights, prepare, check, [0] * 12)


def test_basic_blocks_have_no_other_stride_to_try():
    words = {name: [words for words, *_ in others(IMAGENET, "3x3", name)] for name in ("resnet18", "resnet50")}
    order = "channel_order: BGR, mean and std turned round"
    assert words == {"resnet18": [order], "resnet50": [order, "stride: 1x1"]}


def test_a_resnet18_is_imported_where_it_is_declared(imported, tmp_path):
    weights = resnet18(num_classes=7).state_dict()
    out = imported({"model": weights}, network="resnet18")
    about = metadata(out / "backbone.safetensors")
    assert (about["network"], about["stride"]) == ("resnet18", "3x3")
    assert load_file(out / "backbone.safetensors").keys() == weights.keys()
    assert "\n# mine: a ResNet-18, imported from a file\n" in (out / "README.md").read_text()


def test_weights_that_a_library_publishes_are_imported_under_their_name(imported):
    weights = timm.create_model("mobilenetv3_small_050", num_classes=7).state_dict()
    name = "timm:mobilenetv3_small_050.lamb_in1k"
    out = imported(weights, network="timm/mobilenetv3_small_050", source=name)
    assert metadata(out / "backbone.safetensors")["network"] == "timm/mobilenetv3_small_050"
    assert load_file(out / "backbone.safetensors").keys() == weights.keys()
    assert f"Imported from `{name}`: state dict" in (out / "README.md").read_text()
    record = read_json(out / "metrics.json")
    assert (record["checkpoint"]["file"], record["checkpoint"]["classes"]) == (name, 7)


def test_a_failure_leaves_its_reason_for_the_report(solved, imagenet, tmp_path, monkeypatch):
    torch.save([1], tmp_path / "a.pth")
    recipe = {
        "sha256": sha256(tmp_path / "a.pth"),
        "preprocessing": "imagenet",
        "stride": "3x3",
        "checkpoint_key": None,
    }
    recipe["network"] = "resnet50"
    run = RunSpec("pretrain", "mine", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=0)
    words = [
        "--run-spec",
        json.dumps(run.as_dict()),
        "--checkpoint",
        tmp_path / "a.pth",
        "--dataset-info",
        imagenet.check,
    ]
    monkeypatch.setattr(
        "sys.argv",
        [
            "pretrain",
            "import_backbone",
            *map(str, [*words, "--checkpoint-dir", tmp_path / "s", "--out", tmp_path / "o"]),
        ],
    )
    with pytest.raises(SystemExit):
        main()
    assert "not a state dict" in (tmp_path / "s/error.txt").read_text()


def test_a_foreign_file_with_our_key_in_its_metadata_is_a_plain_file(solved, tmp_path):
    for value in ("resnet50", "3", "[1]", "{}"):
        assert published({"backbone": value}) == {}
    assert published({"backbone": '{"channel_order": "BGR"}'}) == {"channel_order": "BGR"}


@pytest.mark.parametrize(
    ("classes", "said"),
    [
        (7, "not scored: its classifier, which is kept, has 7 outputs, and the data have 4 classes"),
        (0, "not scored: the file has no classifier"),
    ],
)
def test_a_backbone_of_other_classes_is_published_unscored(classes, said, imported, solved, capsys):
    weights = without_fc(solved.weights)
    weights |= {"fc.weight": torch.rand(classes, 2048), "fc.bias": torch.rand(classes)} if classes else {}
    out = imported(weights)
    record = read_json(out / "metrics.json")
    assert record["metrics"] == {}
    with np.load(out / "per_image.npz") as evidence:
        assert {name: evidence[name].shape for name in evidence} == {"images": (0,)}
    assert record["checkpoint"]["classes"] == classes
    assert said in record["protocol"]["split"]
    assert said in capsys.readouterr().out
    found = load_file(out / "backbone.safetensors")
    assert ("fc.weight" in found) == bool(classes)
    assert not classes or torch.equal(found["fc.weight"], weights["fc.weight"])


def test_what_is_declared_is_published(imported, solved):
    out = imported(without_fc(solved.weights), preprocessing=BGR, stride="1x1")
    _, prepare = load_weights(out / "backbone.safetensors")
    assert (prepare.channel_order, list(prepare.mean), list(prepare.std)) == tuple(BGR.values())
    assert metadata(out / "backbone.safetensors")["stride"] == "1x1"
    assert read_json(out / "metrics.json")["checkpoint"]["stride"] == "1x1"


def test_the_file_follows_from_what_is_imported_and_not_from_the_data(imported, solved):
    weights = without_fc(solved.weights)
    one, two = imported(weights), imported(weights, out="two", resize=99, batch_size=1)
    assert (one / "backbone.safetensors").read_bytes() == (two / "backbone.safetensors").read_bytes()


def test_which_weights_is_a_switch(imported, solved, tmp_path):
    raw = without_fc(solved.weights)
    content = {"model": raw, "model_ema": {k: v + 1 for k, v in raw.items()}}
    ema, plain = imported(content), imported(content, out="raw", checkpoint_key="raw")
    assert torch.equal(load_file(ema / "backbone.safetensors")["bn1.bias"], raw["bn1.bias"] + 1)
    assert torch.equal(load_file(plain / "backbone.safetensors")["bn1.bias"], raw["bn1.bias"])
    assert read_json(ema / "metrics.json")["checkpoint"]["weights"] == "ema"
    with pytest.raises(
        UserError, match=r"checkpoint_key: ema is declared, but its only full set .*, /, is not marked as an average"
    ):
        imported(raw, checkpoint_key="ema")


def test_a_file_that_changed_since_planning_is_refused(imported, solved):
    with pytest.raises(UserError, match="has changed since the run was planned"):
        imported(solved.weights, sha256="0" * 64)


@pytest.mark.parametrize(
    ("order", "stride", "message"),
    [
        ("RGB", "1x1", "its own metadata say stride 1x1, the config says 3x3: declare it"),
        ("BGR", "3x3", "its own metadata say channel_order BGR, the config says RGB: declare it"),
    ],
)
def test_a_published_backbone_must_be_declared_as_it_is(order, stride, message, solved, imagenet, tmp_path):
    path = tmp_path / "b.safetensors"
    save_backbone(path, solved.weights, replace(IMAGENET, channel_order=order), "resnet50", stride, origin="pretrained")
    recipe = {
        "sha256": sha256(path),
        "preprocessing": "imagenet",
        "stride": "3x3",
        "checkpoint_key": None,
        **solved.recipe,
    }
    run = RunSpec("pretrain", "mine", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=0)
    with pytest.raises(UserError, match=message):
        import_checkpoint(run, path, imagenet.check, tmp_path / "out")


def test_a_published_backbone_that_was_damaged_is_refused(solved, imagenet, tmp_path):
    path = tmp_path / "b.safetensors"
    save_backbone(path, solved.weights, IMAGENET, "resnet50", origin="pretrained")
    content = bytearray(path.read_bytes())
    content[len(content) // 2 : len(content) // 2 + 4096] = bytes(4096)
    path.write_bytes(content)
    recipe = {
        "sha256": sha256(path),
        "preprocessing": "imagenet",
        "stride": "3x3",
        "checkpoint_key": None,
        **solved.recipe,
    }
    run = RunSpec("pretrain", "mine", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=0)
    with pytest.raises(UserError, match=r"b\.safetensors: damaged: "):
        import_checkpoint(run, path, imagenet.check, tmp_path / "out")
    assert not (tmp_path / "out").exists()
