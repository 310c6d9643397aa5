"""What is exported is the same network to timm and torchvision, and its folder states our own preprocessing."""

import json
import math
import sys
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
import torchvision
from huggingface_hub import ModelCard
from PIL import Image
from safetensors.torch import load_file
from torchvision.transforms import v2

from backbones import export as exporting
from backbones.backbone import IMAGENET, Preprocessing, load_weights, save_backbone
from backbones.cli import main
from backbones.construct import build
from backbones.export import data_config, export
from backbones.images import decode
from backbones.model_card import write_card
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json, write_json
from workflow.planning.run_spec import RunSpec
from workflow.training.record import made_of

RECIPE = {"network": "resnet18", "epochs": 1, "crop_size": 32, "val_resize_size": 36, "regularizers": {"cutmix": {}}}
CAFFE = Preprocessing("BGR", (103.939, 116.779, 123.68), (57.0, 58.0, 59.0))


def published(folder, check, *, network="resnet18", classes=4, prepare=IMAGENET, stride="3x3", metrics=None):
    """A published backbone of random weights and statistics."""
    torch.manual_seed(1)
    module = build(registry.network(network), classes or 4)
    for module_ in module.modules():
        if isinstance(module_, torch.nn.BatchNorm2d):
            module_.running_mean.normal_(std=0.1)
            module_.running_var.uniform_(0.5, 2)
    weights = {key: value for key, value in module.state_dict().items() if classes or not key.startswith("fc.")}
    names = {"classes": [f"class {n}" for n in range(classes)]} if classes else {}
    save_backbone(folder / "backbone.safetensors", weights, prepare, network, stride, origin="pretrained", **names)
    run = RunSpec("pretrain", "mine", {"pretrain": 3}, RECIPE | {"network": network}, {}, threads=1, workers=0, gpus=0)
    of = made_of(run, DatasetInfo.read(check), None)
    write_card(folder, run, check, of=of, metrics=metrics or {}, protocol={"split": "x", "epoch": "y"})
    write_json(folder / "config.json", run.as_dict())
    return folder


@pytest.fixture(scope="module")
def pair(imagenet, tmp_path_factory):
    """(a published backbone with its numbers, what it was exported to)."""
    folder, out = tmp_path_factory.mktemp("backbone"), tmp_path_factory.mktemp("exported")
    published(folder, imagenet.check, metrics={"top1_error": 25.0, "top5_error": 5.25})
    export(folder, out)
    return folder, out


@pytest.fixture
def photo(imagenet):
    """A file of the set."""
    return str(next((imagenet.root / "val").rglob("*.JPEG")))


def reference_output(folder, photo, crop=32, resize=36):
    """(our network's output for a photo, the input that our validation makes of it)."""
    weights, prepare = load_weights(folder / "backbone.safetensors")
    network = registry.network(read_json(folder / "config.json")["recipe"]["network"])
    module = build(network, len(weights[f"{network.classifier}.bias"])).eval()
    module.load_state_dict(weights)
    transform = v2.Compose([v2.Resize(resize, antialias=True), v2.CenterCrop(crop)])
    images = prepare(transform(decode(photo))[None])
    with torch.no_grad():
        return module(images), images


def test_timm_and_torchvision_compute_the_same_bits(pair, photo):
    folder, out = pair
    expected, images = reference_output(folder, photo)
    network = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
    other = torchvision.models.resnet18(num_classes=4).eval()
    other.load_state_dict(load_file(out / "model.safetensors"))
    with torch.no_grad():
        assert torch.equal(network(images), expected)
        assert torch.equal(other(images), expected)
        features = timm.create_model(f"local-dir:{out}", pretrained=True, features_only=True).eval()(images)
        assert [tuple(one.shape[1:]) for one in features][-1] == (512, 1, 1)
        logits = network.get_classifier()(features[-1].mean((2, 3)))
    torch.testing.assert_close(logits, expected)
    assert timm.create_model(f"local-dir:{out}", pretrained=True, num_classes=7).fc.out_features == 7


@pytest.mark.parametrize("name", ["timm/swin_tiny_patch4_window7_224", "timm/convnext_atto"])
def test_a_network_of_timm_loads_for_images_of_any_size(name, imagenet, photo, tmp_path):
    export(published(tmp_path / "in", imagenet.check, network=name), tmp_path / "out")
    expected, images = reference_output(tmp_path / "in", photo)
    network = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    with torch.no_grad():
        assert images.shape[-1] == 32
        assert torch.equal(network(images), expected)
        maps = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True, features_only=True).eval()(images)
    assert len(maps) == 4


def test_the_folder_states_our_preprocessing(pair, photo):
    folder, out = pair
    network = timm.create_model(f"local-dir:{out}", pretrained=True)
    transform = timm.data.create_transform(**timm.data.resolve_model_data_config(network))
    theirs, (_, ours) = transform(Image.open(photo).convert("RGB")), reference_output(folder, photo)
    levels = (theirs - ours[0]) * torch.tensor(IMAGENET.std).view(3, 1, 1)
    assert levels.abs().max() < 1.01, "Pillow and torchvision round to another of 256 levels, at most"
    assert levels.abs().mean() < 0.2


def test_timm_scales_to_our_side():
    for resize in range(32, 300):
        for crop in range(resize // 2, resize + 1):
            share = json.loads(json.dumps(data_config(IMAGENET, crop, resize)["crop_pct"]))
            assert math.floor(crop / share) == resize


def test_the_configuration_is_the_hub_s_and_claims_nothing_of_timm_s_own_weights(pair):
    content = read_json(pair[1] / "config.json")
    assert (content["architecture"], content["num_classes"], content["num_features"]) == ("resnet18", 4, 512)
    assert content["label_names"] == [f"class {n}" for n in range(4)]
    stated = content["pretrained_cfg"]
    assert (stated["first_conv"], stated["classifier"], stated["input_size"]) == ("conv1", "fc", [3, 32, 32])
    assert (stated["mean"], stated["std"]) == ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    assert not {"tag", "license", "origin_url", "paper_ids", "url", "hf_hub_id"} & stated.keys()


def test_the_card_is_the_hub_s(pair):
    folder, out = pair
    card, before = ModelCard.load(out / "README.md"), ModelCard.load(folder / "README.md")
    assert (card.data.license, card.data.library_name) == ("unknown", "timm")
    assert card.data.tags == ["image-classification", "backbone-transfer", "resnet18", "cutmix", "timm"]
    assert card.data.datasets is None, "a drawn set is not ImageNet"
    found = [(one.metric_name, one.metric_value, one.dataset_name) for one in card.data.eval_results]
    assert found == [(f"Top-{k} accuracy (%)", v, "4 classes in folders") for k, v in ((1, 75.0), (5, 94.75))]
    assert {one.dataset_type for one in card.data.eval_results} == {"imagefolder"}
    assert before.data.eval_results == card.data.eval_results
    assert "local-dir:" in card.text
    assert "backbone.safetensors" not in card.text
    for heading in ("# mine: a ResNet-18, pretrained", "## Numbers", "## Data", "## Recipe", "## Made with"):
        assert heading in card.text
    export(folder, out, licence="cc-by-4.0")
    assert ModelCard.load(out / "README.md").data.license == "cc-by-4.0"


def test_the_hub_s_data_set_is_named_where_it_was_used(imagenet, tmp_path):
    full = {"classes": [str(n) for n in range(1000)], "counts": {"train": 1281167, "val": 50000}}
    replace(DatasetInfo.read(imagenet.check), **full).write(tmp_path / "check.json")
    published(tmp_path, tmp_path / "check.json", metrics={"top1_error": 1.0})
    data = ModelCard.load(tmp_path / "README.md").data
    assert data.datasets == ["ILSVRC/imagenet-1k"]
    assert data.eval_results[0].dataset_type == "ILSVRC/imagenet-1k"


def test_a_network_for_bgr_takes_rgb(imagenet, photo, tmp_path):
    export(published(tmp_path / "in", imagenet.check, prepare=CAFFE), tmp_path / "out")
    expected, images = reference_output(tmp_path / "in", photo)
    network = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True).eval()
    with torch.no_grad():
        torch.testing.assert_close(network(images.flip(1)), expected, rtol=1e-5, atol=1e-5)
    stated = read_json(tmp_path / "out/config.json")["pretrained_cfg"]
    assert stated["mean"] == pytest.approx([123.68 / 255, 116.779 / 255, 103.939 / 255])
    assert stated["std"] == pytest.approx([59 / 255, 58 / 255, 57 / 255])
    assert "trained on BGR" in (tmp_path / "out/README.md").read_text()


def test_a_network_without_its_classifier(imagenet, tmp_path):
    export(published(tmp_path / "in", imagenet.check, classes=0), tmp_path / "out")
    network = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True)
    other = timm.create_model(f"local-dir:{tmp_path / 'out'}", pretrained=True, num_classes=3)
    images = torch.rand(2, 3, 32, 32)
    assert (network(images).shape, other(images).shape) == ((2, 512), (2, 3))


def test_what_timm_cannot_express_is_refused(imagenet, tmp_path):
    folder = published(tmp_path, imagenet.check, network="resnet50", stride="1x1")
    with pytest.raises(UserError, match="its stride is in the 1x1 convolution, where timm has none"):
        export(folder, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_onnx_agrees_for_any_batch(pair, tmp_path):
    for operations in (torch.backends.cudnn.conv, torch.backends.cudnn.rnn):  # as torch starts, whatever tests left
        operations.fp32_precision = "tf32"
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    export(pair[0], tmp_path, onnx=True)
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    network = timm.create_model(f"local-dir:{tmp_path}", pretrained=True).eval()
    for batch in (1, 3):
        images = torch.randn(batch, 3, 32, 32)
        (found,) = session.run(["logits"], {"images": images.numpy()})
        with torch.no_grad():
            np.testing.assert_allclose(found, network(images).numpy(), rtol=1e-4, atol=1e-4)
    assert "`model.onnx`" in (tmp_path / "README.md").read_text()


def test_without_onnx_the_command_says_what_to_install(pair, tmp_path, monkeypatch):
    monkeypatch.setattr(exporting.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"^--onnx needs onnx and onnxscript: pip install onnx onnxscript$"):
        export(pair[0], tmp_path / "out", onnx=True)
    assert not (tmp_path / "out").exists()


def test_the_command_line(pair, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["backbones", "export", str(pair[0]), "--out", str(tmp_path / "out")])
    main()
    assert capsys.readouterr().out == f"{tmp_path}/out: exported from {pair[0]}\n"
    assert {path.name for path in (tmp_path / "out").iterdir()} == {"README.md", "config.json", "model.safetensors"}
