"""The contract of a published backbone, and the strictness of its one door."""

import json
import os
import re
import shutil
import stat

import pytest
import timm
import torch
from safetensors.torch import save_file
from torchvision.models import resnet50

from backbones.backbone import (
    IMAGENET,
    Preprocessing,
    checksum,
    load_backbone,
    load_weights,
    metadata,
    preprocessing,
    pretraining_regularizers,
    save_backbone,
    set_stride,
)
from backbones.construct import build
from workflow import registry
from workflow.core.errors import UserError
from workflow.core.files import sha256

RESNET50 = registry.networks()["resnet50"]


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return resnet50(num_classes=3).eval()


@pytest.fixture(scope="module")
def published(network, tmp_path_factory):
    path = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_backbone(path, network.state_dict(), IMAGENET, "resnet50", origin="pretrained")
    return path


def test_equal_backbones_are_equal_files(published, network, tmp_path):
    for name in ("a", "b", "c"):
        save_backbone(tmp_path / name, network.state_dict(), IMAGENET, "resnet50", origin="pretrained")
        assert (tmp_path / name).read_bytes() == published.read_bytes()


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o002, 0o664), (0o027, 0o640)])
def test_whoever_the_umask_lets_may_read_it(umask, mode, network, tmp_path):
    before = os.umask(umask)
    try:
        save_backbone(tmp_path / "b", network.fc.state_dict(), IMAGENET, "resnet50")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "b").stat().st_mode) == mode


def damage(path, at, content):
    """Write `content` over what is at that place; the file's time stamps stay."""
    before = path.stat()
    with path.open("r+b") as file:
        file.seek(at, os.SEEK_END if at < 0 else os.SEEK_SET)
        file.write(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@pytest.mark.parametrize("at", [0.3, 0.5, 0.9, "end", "metadata"])
def test_a_damaged_file_is_refused_in_one_line(at, published, tmp_path):
    path = shutil.copy2(published, tmp_path / "b.safetensors")
    size = path.stat().st_size
    if at == "metadata":
        damage(path, published.read_bytes().index(b"123.675"), b"123.676")
    elif at == "end":  # a bit of the last tensor
        damage(path, -1, bytes([published.read_bytes()[-1] ^ 1]))
    else:
        damage(path, int(at * size), bytes(4096))
    for load in (load_weights, lambda path: load_backbone(path, resnet50(num_classes=3))):
        with pytest.raises(UserError, match=f"^{re.escape(str(path))}: damaged: its content is not what was publ.*$"):
            load(path)


def test_a_file_that_is_not_the_recorded_one_is_refused(published, network):
    load_backbone(published, resnet50(num_classes=3), expected=sha256(published))
    with pytest.raises(UserError, match="it has changed since this run began"):
        load_backbone(published, resnet50(num_classes=3), expected="0" * 64)


class Trunk(torch.nn.Module):
    """Part of a ResNet under torchvision's names."""

    def __init__(self, names):
        super().__init__()
        whole = resnet50()
        for name in names:
            self.add_module(name, getattr(whole, name))


STEM = ["conv1", "bn1", "layer1", "layer2", "layer3"]


def test_it_loads_strictly_into_torchvision(published, network):
    weights, prepare = load_weights(published)
    fresh = resnet50(num_classes=3)
    fresh.load_state_dict(weights, strict=True)
    x = torch.rand(1, 3, 32, 32)
    assert torch.equal(fresh.eval()(x), network(x))
    assert prepare == IMAGENET
    assert metadata(published)["origin"] == "pretrained"


def test_a_split_network_is_filled_and_only_fc_is_left(published, network, capsys):
    trunk, head = Trunk(STEM), Trunk(["layer4"])
    assert load_backbone(published, trunk, head) == {"matched": 318, "missing": 0, "unexpected": 0}
    assert torch.equal(head.layer4[2].conv3.weight, network.layer4[2].conv3.weight)
    assert "318 keys matched, 0 keys missing, 0 keys unexpected, 2 of fc left over" in capsys.readouterr().out


def test_left_over_weights_are_refused(published):
    with pytest.raises(UserError, match=r"keys unexpected: layer4\.0\.bn1\.bias"):
        load_backbone(published, Trunk(STEM))


def test_empty_places_are_refused(network, tmp_path):
    weights = {key: value for key, value in network.state_dict().items() if not key.startswith("layer4.2.conv3")}
    save_backbone(tmp_path / "b.safetensors", weights, IMAGENET, "resnet50")
    with pytest.raises(UserError, match=r"1 keys missing: layer4\.2\.conv3\.weight"):
        load_backbone(tmp_path / "b.safetensors", Trunk([*STEM, "layer4"]))


def test_other_shapes_are_refused(network, tmp_path):
    weights = {**network.state_dict(), "conv1.weight": torch.zeros(64, 3, 3, 3)}
    save_backbone(tmp_path / "b.safetensors", weights, IMAGENET, "resnet50")
    with pytest.raises(UserError, match=r"1 keys of another shape: conv1\.weight"):
        load_backbone(tmp_path / "b.safetensors", Trunk([*STEM, "layer4"]))


def test_what_is_no_backbone_is_said(tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"no weights")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        load_weights(tmp_path / "x.safetensors")
    with pytest.raises(UserError, match="cannot be read as safetensors"):
        load_weights(tmp_path / "absent.safetensors")
    save_file({"x": torch.zeros(1)}, tmp_path / "y.safetensors")
    with pytest.raises(UserError, match="metadata have no key 'backbone'"):
        load_weights(tmp_path / "y.safetensors")


def test_preprocessing_is_what_torchvision_does():
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = (torch.tensor(v).view(3, 1, 1) for v in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    assert torch.allclose(IMAGENET(images), (images / 255 - mean) / std, atol=1e-5)


def test_a_caffe_declaration_changes_the_input_as_it_must():
    caffe = preprocessing({"channel_order": "BGR", "mean": [103.53, 116.28, 123.675], "std": [1, 1, 1]})
    images = torch.zeros(1, 3, 2, 2, dtype=torch.uint8)
    images[:, 0] = 255  # pure red
    assert caffe(images)[0, :, 0, 0].tolist() == pytest.approx([-103.53, -116.28, 255 - 123.675])
    assert preprocessing("imagenet") == IMAGENET
    assert isinstance(caffe, Preprocessing)


def strides(network):
    return {
        name: (block.conv1.stride, block.conv2.stride)
        for name, block in network.named_modules()
        if hasattr(block, "conv3")
    }


def caffe(network):
    """A copy with the strides of the original paper, by hand."""
    twin = resnet50(num_classes=3)
    twin.load_state_dict(network.state_dict())
    for layer in (twin.layer2, twin.layer3, twin.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    return twin.eval()


def test_the_stride_goes_where_the_backbone_has_it(network, tmp_path):
    save_backbone(tmp_path / "b", network.state_dict(), IMAGENET, "resnet50", "1x1")
    assert metadata(tmp_path / "b")["stride"] == "1x1"
    fresh, x = resnet50(num_classes=3), torch.rand(1, 3, 64, 64)
    load_backbone(tmp_path / "b", fresh)
    assert strides(fresh) == strides(caffe(network))
    assert torch.equal(fresh.eval()(x), caffe(network)(x))
    assert not torch.allclose(fresh(x), network(x))


def test_placing_the_stride_twice_or_back_is_exact(network):
    for make in (lambda: resnet50(), lambda: timm.create_model("resnet50")):
        model = make()
        before = strides(model)
        set_stride(model, "3x3", RESNET50)
        assert strides(model) == before
        set_stride(model, "1x1", RESNET50)
        moved = strides(model)
        set_stride(model, "1x1", RESNET50)
        assert strides(model) == moved
        assert sum(pair == ((2, 2), (1, 1)) for pair in moved.values()) == 3
        set_stride(model, "3x3", RESNET50)
        assert strides(model) == before


def test_an_older_file_without_the_key_means_3x3(network, tmp_path):
    about = {"channel_order": "RGB", "mean": IMAGENET.mean, "std": IMAGENET.std, "network": "resnet50"}
    save_file(network.state_dict(), tmp_path / "b", metadata={"backbone": json.dumps(about)})
    assert metadata(tmp_path / "b")["stride"] == "3x3"
    fresh = resnet50(num_classes=3)
    set_stride(fresh, "1x1", RESNET50)
    load_backbone(tmp_path / "b", fresh)
    assert strides(fresh) == strides(network)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        ({}, "b: no published backbone: its metadata have no key 'backbone', or not as ours"),
        (
            {"network": "resnet5"},
            r"b: its network is not declared here: there is no network resnet5 \(known: resnet18, ",
        ),
    ],
)
def test_a_file_of_no_known_network_is_refused(network, message, tmp_path):
    about = {"channel_order": "RGB", "mean": IMAGENET.mean, "std": IMAGENET.std, **network}
    save_file({"a": torch.zeros(1)}, tmp_path / "b", metadata={"backbone": json.dumps(about)})
    with pytest.raises(UserError, match=message):
        metadata(tmp_path / "b")


def test_a_network_with_one_place_for_the_stride_stays_as_it_is(tmp_path):
    resnet18 = registry.networks()["resnet18"]
    model = build(resnet18, 3)
    before = [each.stride for each in model.modules() if isinstance(each, torch.nn.Conv2d)]
    for where in ("1x1", "3x3"):
        set_stride(model, where, resnet18)
    assert [each.stride for each in model.modules() if isinstance(each, torch.nn.Conv2d)] == before


def test_the_checksum_is_of_names_types_shapes_bytes_and_words():
    """Each of these is another content; the order of the tensors, and how they lie in memory, is none."""
    ones, more = torch.ones(2, 3), torch.arange(6.0).view(2, 3)
    plain, words = {"a": ones, "b": more}, {"origin": "random"}
    others = [{"a": ones}, {"a": ones, "c": more}, {"a": more, "b": ones}, {"a": ones, "b": more.view(3, 2)},
              {"a": ones, "b": more.view(torch.int32)}, {"a": ones, "b": more + torch.eye(2, 3)}]  # fmt: skip
    found = [checksum(words, each) for each in (plain, *others)] + [checksum({"origin": "imported"}, plain)]
    assert len(set(found)) == len(found)
    assert checksum(words | {"sha256": "x"}, {"b": more.T.contiguous().T, "a": ones}) == found[0]


def test_what_it_was_pretrained_with_is_known_of_a_pretrained_one(published, network, tmp_path):
    row, path = {"cutmix": {"alpha": 1.0, "probability": 1.0}}, tmp_path / "backbone.safetensors"
    path.write_bytes(published.read_bytes())
    (tmp_path / "config.json").write_text(json.dumps({"recipe": {"regularizers": row}}))
    assert pretraining_regularizers(path) == row
    save_backbone(path, network.state_dict(), IMAGENET, "resnet50", origin="imported")
    assert pretraining_regularizers(path) == {}
