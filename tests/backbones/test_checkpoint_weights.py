"""Each known layout gives, bit for bit, the tensors of the plain state dict that it was made from."""

import argparse
from collections import OrderedDict

import pytest
import torch

from backbones.checkpoint import contents
from backbones.checkpoint_weights import find_weights
from backbones.network_signature import check_weights
from tests.backbones.conftest import network
from tests.backbones.layout_table import TABLE, markdown
from tests.backbones.layouts import (
    RESNET50,
    compiled,
    cutmix,
    mm,
    mmpretrain,
    mmpretrain_ema,
    mmpretrain_published,
    module,
    published,
    timm_ema,
    timm_file,
    timm_safetensors,
    timm_training,
    torchvision_ema,
    torchvision_file,
    torchvision_legacy,
    torchvision_training,
)
from tests.conftest import PROJECT
from workflow.core.errors import UserError

SINGLE = {
    torchvision_file: ("state dict", []),
    torchvision_legacy: ("state dict", []),
    timm_file: ("state dict", []),
    timm_safetensors: ("state dict", []),
    timm_training: ("state dict under state_dict", ["optimizer"]),
    cutmix: ("state dict under state_dict/module", ["best_err5", "optimizer"]),
    mmpretrain: ("state dict under state_dict/backbone", ["optimizer", "state_dict/data_preprocessor"]),
    mmpretrain_published: ("state dict under state_dict/backbone", []),
    torchvision_training: ("state dict under model", ["optimizer"]),
    compiled: ("state dict under state_dict/module._orig_mod", []),
    published: ("backbone published by this workflow", []),
}


def read(folder, wanted=None):
    (path,) = folder.iterdir()
    content, metadata = contents(path)
    file = find_weights(path, content, wanted, RESNET50, published="backbone" in metadata)
    return file, check_weights(path, file.weights, RESNET50)


def equal(one, other):
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("make", SINGLE, ids=lambda make: make.__name__)
def test_each_layout_is_the_plain_state_dict(make, raw, tmp_path):
    make(raw, tmp_path / "a.pth")
    file, weights = read(tmp_path)
    assert equal(weights, raw)
    assert (file.layout, file.which, len(file.weights)) == (SINGLE[make][0], "only", len(raw))
    assert sorted(file.left_over) == SINGLE[make][1]
    assert equal(read(tmp_path, "raw")[1], raw)
    with pytest.raises(
        UserError, match=r"checkpoint_key: ema is declared, but its only full set .* is not marked as an aver"
    ):
        read(tmp_path, "ema")


def same(weights, expected):
    """The numbers of `expected`; counters are filled in, and the classifier may be what the file keeps of it."""
    assert all(torch.equal(value, expected[key]) for key, value in weights.items() if not key.endswith("tracked"))
    return weights.keys() >= {key for key in expected if not key.startswith("fc.")}


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.title)
def test_each_row_of_the_table_is_read(row, raw, average, tmp_path):
    torch.save(row.content(raw, average), tmp_path / "a.pth")
    if row.second:
        with pytest.raises(UserError, match=r"has 2 full sets of a ResNet-50's weights") as caught:
            read(tmp_path)
        assert f"({row.place}, {row.second})" in str(caught.value)
        assert f"`checkpoint_key: {row.place}`" in str(caught.value)
        assert same(read(tmp_path, row.second)[1], average)
    file, weights = read(tmp_path, row.place if row.second else None)
    assert same(weights, raw)
    where = "state dict" if row.place == "/" else f"state dict under {row.place}"
    assert file.layout == where + (f", beside {row.second}" if row.second else "")
    assert sorted(file.left_over) == sorted(row.rest)


def test_the_manual_has_the_table():
    assert markdown() in (PROJECT / "config/README.md").read_text(encoding="utf-8"), (
        "python -m tests.backbones.layout_table"
    )


@pytest.mark.parametrize("make", [timm_ema, torchvision_ema, mmpretrain_ema], ids=lambda make: make.__name__)
def test_the_average_is_meant_unless_the_config_says_raw(make, raw, average, tmp_path):
    make(raw, average, tmp_path / "a.pth")
    for wanted, expected in ((None, average), ("ema", average), ("raw", raw)):
        file, weights = read(tmp_path, wanted)
        assert equal(weights, expected), wanted
        assert file.which == (wanted or "ema")
        assert file.left_over, "the other set is named"


def test_a_file_of_the_average_alone(average, tmp_path):
    torch.save({"model_ema": module(average)}, tmp_path / "a.pth")
    assert equal(read(tmp_path)[1], average)
    with pytest.raises(
        UserError, match=r"checkpoint_key: raw is declared, but its only full set .*, model_ema/module, is an"
    ):
        read(tmp_path, "raw")


def test_ema_state_dict_is_swapped_by_mmengine_alone(raw, average, tmp_path):
    torch.save({"state_dict": raw, "ema_state_dict": average, "epoch": 1}, tmp_path / "a.pth")
    file, weights = read(tmp_path)
    assert (file.layout, file.which) == ("state dict under ema_state_dict, beside state_dict", "ema")
    assert equal(weights, average)
    assert equal(read(tmp_path, "raw")[1], raw)


def test_mmcv_1_keeps_the_average_under_the_plain_names(raw, average, tmp_path):
    old = {f"ema_backbone_{key.replace('.', '_')}": value for key, value in raw.items()}
    torch.save({"meta": {}, "state_dict": {**mm(average), **old}}, tmp_path / "a.pth")
    assert equal(read(tmp_path)[1], average)
    assert equal(read(tmp_path, "ema")[1], average)
    with pytest.raises(
        UserError, match=r"checkpoint_key: raw is declared, but its only full set .*, state_dict/backbone, is an ave"
    ):
        read(tmp_path, "raw")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([1, 2], "not a state dict: it holds list"),
        ({}, "not a state dict: it holds dict"),
        ({"epoch": 3}, "not a state dict: under epoch there is no tensor"),
        ({"state_dict": {}, "best_err1": 1}, "there is no tensor"),
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
    file = find_weights(tmp_path, {"state_dict": trap}, None, RESNET50)
    assert equal(check_weights(tmp_path, file.weights, RESNET50), raw)


def with_callback(raw, average):
    return {"state_dict": raw, "callbacks": {"EMACallback": {"weights": average}}, "pytorch-lightning_version": "2"}


def averaged_model(raw, average):
    model = torch.optim.swa_utils.AveragedModel(network(0))
    model.module.load_state_dict(average)
    return {"net": raw, "second": model.state_dict()}


PAIRS = {
    "ema_model": lambda raw, average: {"model": raw, "ema_model": average, "it": 9},
    "the average first": lambda raw, average: {"ModelEMA": average, "net": raw},
    "swa": lambda raw, average: {"state_dict": module(raw), "swa_state_dict": module(average)},
    "nested": lambda raw, average: {"state": {"weights": raw, "ema": {"decay": 0.9, "module": average}}},
    "one mapping": lambda raw, average: {"state_dict": {**module(raw, "model."), **module(average, "ema_model.")}},
    "beside the bare names": lambda raw, average: {"state_dict": {**raw, **module(average, "ema.")}},
    "mmpretrain's names": lambda raw, average: {"model": mm(raw), "avg": mm(average)},
    "a counter": averaged_model,
    "a callback": with_callback,
    "a list": lambda raw, average: {"models": [raw], "average_model": average},
}


@pytest.mark.parametrize("kind", PAIRS)
def test_an_average_is_found_wherever_it_lies_and_meant(kind, raw, average, tmp_path):
    torch.save(PAIRS[kind](raw, average), tmp_path / "a.pth")
    for wanted, expected in ((None, average), ("ema", average), ("raw", raw)):
        file, weights = read(tmp_path, wanted)
        assert equal(weights, expected), wanted
        assert file.which == (wanted or "ema")
        assert ", beside " in file.layout, "both sets are named"


SEVERAL = {
    "student and teacher": lambda one, two: {"student": one, "teacher": two},
    "best and last": lambda one, two: {"state_dict": one, "best_state_dict": two},
    "query and key": lambda one, two: {"state_dict": {**module(one, "encoder_q."), **module(two, "encoder_k.")}},
    "two averages": lambda one, two: {"ema_1": one, "ema_2": two},
}


@pytest.mark.parametrize("kind", SEVERAL)
def test_where_nothing_says_which_set_is_meant_the_user_chooses(kind, raw, average, tmp_path):
    torch.save(SEVERAL[kind](raw, average), tmp_path / "a.pth")
    for wanted in (None, "ema", "raw", "elsewhere"):
        with pytest.raises(UserError, match=r"a\.pth: .*has 2 full sets of a ResNet-50's weights") as error:
            read(tmp_path, wanted)
    names = str(error.value).partition("(")[2].partition(")")[0].split(", ")
    assert all(same(read(tmp_path, name)[1], weights) for name, weights in zip(names, (raw, average), strict=True))
    assert read(tmp_path, names[0])[0].which == names[0]


def test_an_average_without_names_is_found_and_cannot_be_taken(raw, average, tmp_path):
    shadow = list(network(1).parameters())
    torch.save({"model": raw, "ema": {"decay": 0.9, "shadow_params": shadow}}, tmp_path / "a.pth")
    with pytest.raises(
        UserError, match=r"ema/shadow_params is a list of tensors without names .* `checkpoint_key: model`"
    ):
        read(tmp_path)
    assert equal(read(tmp_path, "raw")[1], raw)


def test_an_optimizer_s_tensors_and_the_same_set_twice_are_no_further_set(raw, tmp_path):
    momentum = {key: value.clone() for key, value in raw.items()}
    content = {"model": raw, "best": raw, "optimizer": {"exp_avg": momentum}, "state": {"exp_avg_sq": momentum}}
    torch.save(content, tmp_path / "a.pth")
    assert equal(read(tmp_path)[1], raw)


def without_statistics(weights, *kinds):
    return {key: value for key, value in weights.items() if not key.endswith(kinds)}


PARTIAL = {
    "parameters": (lambda raw: dict(network(0).named_parameters()), r"a\.pth: it has all parameters .* but no running"),
    "under a key": (
        lambda raw: {"params": without_statistics(raw, "mean", "var", "tracked")},
        r"a\.pth: params has all",
    ),
    "without variances": (lambda raw: without_statistics(raw, "var"), r"but not all running statistics .* only$"),
    "a list": (lambda raw: {"params": list(network(0).parameters())}, r"params is a list of tensors .* the parameters"),
}


@pytest.mark.parametrize("kind", PARTIAL)
def test_parameters_without_statistics_are_named_as_that(kind, raw, tmp_path):
    """Not as a network with GroupNorm only, which has the same names."""
    make, message = PARTIAL[kind]
    torch.save(make(raw), tmp_path / "a.pth")
    with pytest.raises(UserError, match=message) as caught:
        read(tmp_path)
    assert "save model.state_dict(), which holds them" in str(caught.value)
