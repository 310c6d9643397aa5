"""Each known layout gives, bit for bit, the tensors of the plain state dict that it was made from."""

import argparse
import copy
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest
import timm
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.model import ExponentialMovingAverage
from safetensors.torch import save_file
from torchvision.models import resnet50

from pretrain.architecture import checked
from pretrain.backbone import IMAGENET, publish
from pretrain.checkpoint import contents
from pretrain.layouts import found
from workflow.training.errors import UserError


def network(seed):
    torch.manual_seed(seed)
    return resnet50(num_classes=3)


@pytest.fixture(scope="module")
def raw():
    return network(0).state_dict()


@pytest.fixture(scope="module")
def average():
    return network(1).state_dict()


def module(weights, prefix="module."):
    return OrderedDict((prefix + key, value) for key, value in weights.items())


def mm(weights):
    names = {key: f"head.{key}" if key.startswith("fc.") else f"backbone.{key}" for key in weights}
    return OrderedDict((names[key], value) for key, value in weights.items())


def optimizer(weights):
    parameter = torch.nn.Parameter(weights["fc.bias"].clone())
    sgd = torch.optim.SGD([parameter], lr=0.1, momentum=0.9)
    parameter.sum().backward()
    sgd.step()
    return sgd.state_dict()


def torchvision_file(raw, path):
    torch.save(raw, path)


def torchvision_legacy(raw, path):
    torch.save(raw, path, _use_new_zipfile_serialization=False)


def timm_file(raw, path):
    model = timm.create_model("resnet50", num_classes=3)
    model.load_state_dict(raw)
    torch.save(model.state_dict(), path)


def timm_safetensors(raw, path):
    model = timm.create_model("resnet50", num_classes=3)
    model.load_state_dict(raw)
    save_file(model.state_dict(), path.with_suffix(".safetensors"), metadata={"format": "pt"})


def timm_training(raw, path):
    args = argparse.Namespace(model="resnet50", lr=0.1)
    torch.save(
        {"epoch": 3, "arch": "resnet50", "state_dict": raw, "optimizer": optimizer(raw), "version": 2, "args": args,
         "metric": np.float64(70.1)}, path
    )  # fmt: skip


def cutmix(raw, path):
    torch.save(
        {"epoch": 300, "arch": "resnet", "state_dict": module(raw), "best_err1": np.float64(21.4),
         "best_err5": torch.tensor(5.9), "optimizer": optimizer(raw)}, path, _use_new_zipfile_serialization=False
    )  # fmt: skip


def mmpretrain(raw, path):
    hub = {"log_scalars": OrderedDict({"train/loss": HistoryBuffer([1.0], [1])}), "runtime_info": OrderedDict(epoch=1)}
    meta = {"epoch": 100, "cfg": "model = dict()", "dataset_meta": {"classes": ("a", "b", "c")}}
    weights = {"data_preprocessor.mean": torch.zeros(3), **mm(raw)}
    torch.save({"meta": meta, "state_dict": weights, "message_hub": hub, "optimizer": optimizer(raw)}, path)


def mmpretrain_published(raw, path):
    torch.save({"state_dict": mm(raw), "meta": {}}, path)


def torchvision_training(raw, path):
    args = argparse.Namespace(model="resnet50", data_path="/data")
    torch.save({"model": raw, "optimizer": optimizer(raw), "lr_scheduler": {}, "epoch": 5, "args": args}, path)


def compiled(raw, path):
    torch.save({"state_dict": module(raw, "module._orig_mod.")}, path)


def published(raw, path):
    publish(path.with_suffix(".safetensors"), raw, IMAGENET, origin="pretrained")


SINGLE = {
    torchvision_file: "state dict",
    torchvision_legacy: "state dict",
    timm_file: "state dict",
    timm_safetensors: "state dict",
    timm_training: "timm training checkpoint",
    cutmix: "CutMix reference code",
    mmpretrain: "mmpretrain checkpoint",
    mmpretrain_published: "mmpretrain checkpoint",
    torchvision_training: "torchvision training checkpoint",
    compiled: "training checkpoint",
    published: "backbone published by this workflow",
}


def read(folder, wanted=None):
    (path,) = folder.iterdir()
    content, metadata = contents(path)
    file = found(path, content, wanted, published="backbone" in metadata)
    return file, checked(path, file.weights)


def equal(one, other):
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("make", SINGLE, ids=lambda make: make.__name__)
def test_each_layout_is_the_plain_state_dict(make, raw, tmp_path):
    make(raw, tmp_path / "a.pth")
    file, weights = read(tmp_path)
    assert equal(weights, raw)
    assert (file.layout, file.which, len(file.weights)) == (SINGLE[make], "raw", len(raw))
    assert file.left_over == (["data_preprocessor.mean"] if make is mmpretrain else [])
    assert equal(read(tmp_path, "raw")[1], raw)
    with pytest.raises(UserError, match=f"weights: ema is declared, but the {SINGLE[make]} has only raw"):
        read(tmp_path, "ema")


def timm_ema(raw, average, path):
    torch.save({"state_dict": raw, "state_dict_ema": average, "version": 2, "args": argparse.Namespace()}, path)


def torchvision_ema(raw, average, path):
    """As its reference script writes it: torch's averaged model counts its steps."""
    model = network(0)
    averaged = torch.optim.swa_utils.AveragedModel(model, use_buffers=True)
    averaged.module.load_state_dict(average)
    torch.save({"model": raw, "model_ema": averaged.state_dict(), "epoch": 1, "args": argparse.Namespace()}, path)


class Mm(torch.nn.Module):
    """mmpretrain's names around torchvision's network."""

    def __init__(self, weights):
        super().__init__()
        self.backbone, self.head = network(0), torch.nn.Module()
        self.backbone.load_state_dict(weights)
        self.head.fc, self.backbone.fc = self.backbone.fc, torch.nn.Identity()


def mmpretrain_ema(raw, average, path):
    """Through mmengine's own hook, which swaps the two on saving."""
    hook, model = EMAHook(), Mm(raw)
    hook.ema_model = ExponentialMovingAverage(model)
    hook.ema_model.module.load_state_dict(Mm(average).state_dict())
    checkpoint = {"meta": {}, "state_dict": copy.copy(model.state_dict())}
    hook.before_save_checkpoint(SimpleNamespace(), checkpoint)
    assert "steps" in checkpoint["ema_state_dict"]
    torch.save(checkpoint, path)


@pytest.mark.parametrize("make", [timm_ema, torchvision_ema, mmpretrain_ema], ids=lambda make: make.__name__)
def test_the_average_is_meant_unless_the_config_says_raw(make, raw, average, tmp_path):
    make(raw, average, tmp_path / "a.pth")
    for wanted, expected in ((None, average), ("ema", average), ("raw", raw)):
        file, weights = read(tmp_path, wanted)
        assert equal(weights, expected), wanted
        assert file.which == (wanted or "ema")
        assert set(file.left_over) <= {"n_averaged", "steps"}


def test_a_file_of_the_average_alone(average, tmp_path):
    torch.save({"model_ema": module(average)}, tmp_path / "a.pth")
    assert equal(read(tmp_path)[1], average)
    with pytest.raises(
        UserError, match="weights: raw is declared, but the torchvision training checkpoint has only ema"
    ):
        read(tmp_path, "raw")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a state dict: it holds list"),
        ({}, "not a state dict: it holds dict"),
        ({"epoch": 3}, "not a state dict: under epoch there is no tensor"),
        ({"state_dict": {}, "best_err1": 1}, "there is no tensor"),
        ({"module.w": torch.ones(1), "w": torch.ones(1)}, "it has w twice"),
        ({"arch": "resnetblur50", "state_dict": {"w": torch.ones(1)}}, "a resnetblur50, whose downsampling is anti-al"),
    ],
)
def test_what_holds_no_weights_is_said(content, message, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=message):
        read(tmp_path)


def test_methods_that_a_pickle_has_laid_over_are_not_called(raw, tmp_path):
    trap = OrderedDict(raw)
    for name in ("items", "keys", "values", "get", "__iter__"):
        vars(trap)[name] = argparse.Namespace()
    file = found(tmp_path, {"state_dict": trap}, None)
    assert equal(checked(tmp_path, file.weights), raw)
