"""Imported files of each known layout, as the real programs write them, made from given weights."""

import argparse
import copy
from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import timm
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from mmengine.model import ExponentialMovingAverage
from safetensors.torch import save_file
from torchvision.models import resnet50

from backbones.backbone import IMAGENET, save_backbone
from workflow import registry

RESNET50 = registry.networks()["resnet50"]


def network(weights):
    """torchvision's ResNet-50 with these weights."""
    model = resnet50(num_classes=len(weights["fc.bias"]))
    model.load_state_dict(weights)
    return model


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
    model = timm.create_model("resnet50", num_classes=len(raw["fc.bias"]))
    model.load_state_dict(raw)
    torch.save(model.state_dict(), path)


def timm_safetensors(raw, path):
    model = timm.create_model("resnet50", num_classes=len(raw["fc.bias"]))
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
    save_backbone(path.with_suffix(".safetensors"), raw, IMAGENET, "resnet50", origin="pretrained")


def timm_ema(raw, average, path):
    torch.save({"state_dict": raw, "state_dict_ema": average, "version": 2, "args": argparse.Namespace()}, path)


def torchvision_ema(raw, average, path):
    """As its reference script writes it: torch's averaged model counts its steps."""
    averaged = torch.optim.swa_utils.AveragedModel(network(raw), use_buffers=True)
    averaged.module.load_state_dict(average)
    torch.save({"model": raw, "model_ema": averaged.state_dict(), "epoch": 1, "args": argparse.Namespace()}, path)


class Mm(torch.nn.Module):
    """mmpretrain's names around torchvision's network."""

    def __init__(self, weights):
        super().__init__()
        self.backbone, self.head = network(weights), torch.nn.Module()
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
