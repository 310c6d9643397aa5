"""Laws of the key-mapping: every key of a brought file is a weight or named as left over; else the file is refused."""

from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from pretrain.architecture import checked
from pretrain.checkpoint import contents
from pretrain.layouts import LAYOUTS, found, unwrapped
from workflow.training.errors import UserError

PARTS = st.sampled_from(
    ["conv1.weight", "layer1.0.bn1.bias", "fc.weight", "fc.bias", "head.fc.weight", "n_averaged", "x"]
)
PREFIXES = st.sampled_from(
    ["", "", "module.", "_orig_mod.", "module.module.", "backbone.", "module.backbone.", "ema_backbone_"]
)
KEYS = st.builds(lambda prefix, part: prefix + part, PREFIXES, PARTS) | st.integers(0, 3) | st.text(max_size=4)
TENSORS = st.sampled_from([torch.ones(1), torch.zeros(2, 2), torch.tensor(3)])
WEIGHTS = st.dictionaries(KEYS, TENSORS | st.sampled_from([None, 3, "text", [1]]), max_size=8)


def taken(content: object, wanted: str | None = None):
    """What is found in it; None if it is refused, in one line."""
    try:
        return found(Path("a.pth"), content, wanted)
    except UserError as error:
        said = str(error)
    assert said.startswith("checkpoint a.pth")
    return None


@given(WEIGHTS)
@example({"backbone.fc.weight": torch.ones(1), "head.fc.weight": torch.zeros(2, 2)})
@example({"module.x": torch.ones(1), "x": torch.zeros(2, 2)})
@example({1: torch.ones(1), "1": torch.zeros(2, 2)})
def test_no_key_is_lost(weights):
    file = taken(weights)
    if file:
        assert len(file.weights) + len(file.left_over) == len(weights)
        assert {unwrapped(str(key)) for key in weights} >= set(file.left_over)
        assert all(isinstance(value, torch.Tensor) for value in file.weights.values())
        kept = {id(value) for value in weights.values()}
        assert all(id(value) in kept for value in file.weights.values()), "none is made up"


@given(WEIGHTS, st.sampled_from(LAYOUTS), st.sampled_from([None, "raw", "ema"]), st.sampled_from(["", "module."]))
def test_a_layout_around_the_weights_changes_nothing(weights, layout, wanted, prefix):
    around = {**dict.fromkeys(layout.marks, 1), layout.raw: {f"{prefix}{key}": value for key, value in weights.items()}}
    plain, file = taken({str(key): value for key, value in weights.items()}), taken(around, "raw")
    if plain and file and len(plain.weights) == len(weights) and plain.which == file.which == "raw":
        assert file.weights.keys() == plain.weights.keys()
    taken(around, wanted)


JUNK = st.recursive(
    st.none() | st.integers() | st.text(max_size=3) | st.binary(max_size=3) | TENSORS,
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(["state_dict", "model", "model_ema", "meta", "version", "arch", "x"]), below, max_size=4
        )
    ),
    max_leaves=6,
)


@given(JUNK, st.sampled_from([None, "raw", "ema"]))
@example({"state_dict": None}, None)
@example({"model": {"x": torch.ones(1)}, "state_dict": 3}, "ema")
def test_anything_is_weights_or_is_refused(content, wanted):
    file = taken(content, wanted)
    if file:
        with pytest.raises(UserError, match="is not torchvision's ResNet-50"):
            checked(Path("a.pth"), file.weights)


@given(st.binary(max_size=80), st.sampled_from(["a.pth", "a.safetensors"]))
@example(b"\xff" * 8 + b"{}", "a.safetensors")
@example((2).to_bytes(8, "little") + b"{}", "a.pth")
@example((9).to_bytes(8, "little") + b'{"w": 3}\n', "a.pth")
def test_any_bytes_are_refused_or_hold_nothing(tmp_path_factory, content, name):
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(content)
    try:
        found_in_it = contents(path)[0]
    except UserError as error:
        assert_one_line(error)
    else:
        assert not isinstance(found_in_it, torch.Tensor)


def assert_one_line(error: UserError) -> None:
    """Whatever the file says, the message is one line."""
    assert str(error).isprintable()
