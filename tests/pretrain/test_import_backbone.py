"""Brought files: torchvision's layout loads, everything else is named and refused."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision.models import resnet18, resnet50

from pretrain.import_backbone import checked, weights_of
from workflow.training.errors import UserError


@pytest.fixture(scope="module")
def weights():
    return resnet50(num_classes=3).state_dict()


def test_torch_and_safetensors_files_give_the_same(weights, tmp_path):
    torch.save(weights, tmp_path / "a.pth")
    save_file(weights, tmp_path / "a.safetensors")
    for name in ("a.pth", "a.safetensors"):
        found = checked(tmp_path / name, weights_of(tmp_path / name))
        assert found.keys() == weights.keys()
        assert torch.equal(found["layer4.0.conv1.weight"], weights["layer4.0.conv1.weight"])


def test_a_file_without_fc_or_counters_is_whole(weights, tmp_path):
    bare = {k: v for k, v in weights.items() if not k.startswith("fc.") and "num_batches" not in k}
    assert checked(tmp_path / "x", bare).keys() == {k for k in weights if not k.startswith("fc.")}


class Attack:
    def __reduce__(self):
        return (print, ("ATTACK",))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (Attack(), "not a file of tensors alone"),
        ([1, 2], "not a state dict"),
        ({"epoch": 3}, "not a state dict"),
    ],
)
def test_other_content_is_refused_and_never_run(content, message, tmp_path, capsys):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(UserError, match=message):
        weights_of(tmp_path / "a.pth")
    assert "ATTACK" not in capsys.readouterr().out


def test_absent_and_garbled_files_are_said(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        weights_of(tmp_path / "none.pth")
    for name in ("a.pth", "a.safetensors"):
        (tmp_path / name).write_bytes(b"garbage that is no archive")
        with pytest.raises(UserError, match="not a file of tensors alone"):
            weights_of(tmp_path / name)


def test_another_network_is_named(weights, tmp_path):
    with pytest.raises(UserError, match=r"lacks layer1\.0\.bn3\.bias.*and \d+ more"):
        checked(tmp_path / "x", resnet18().state_dict())
    wide = {**weights, "conv1.weight": torch.zeros(32, 3, 7, 7)}
    with pytest.raises(UserError, match=r"conv1\.weight is \(32, 3, 7, 7\) instead of \(64, 3, 7, 7\)"):
        checked(tmp_path / "x", wide)
    with pytest.raises(UserError, match=r"has stem\.weight, which a ResNet-50 has not"):
        checked(tmp_path / "x", {**weights, "stem.weight": torch.zeros(1)})
