"""Laws of the search: a set is found wherever it lies, every other tensor is named as left over; else the file is
refused in one line."""

from pathlib import Path

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from backbones.checkpoint import contents
from backbones.checkpoint_weights import find_weights
from backbones.key_names import shapes_of
from backbones.network_signature import check_weights
from workflow import registry
from workflow.core.errors import UserError

RESNET50 = registry.networks()["resnet50"]
SMALL = {
    name: torch.zeros(()).expand(shape) for name, shape in shapes_of("resnet50").all.items()
}  # shapes without memory
PARTS = st.text("abc_", min_size=1, max_size=3)
PREFIXES = st.lists(PARTS | st.sampled_from(["module", "_orig_mod", "backbone"]), max_size=3).map(
    lambda parts: "".join(f"{part}." for part in parts)
)
PATHS = st.lists(PARTS | st.sampled_from(["state_dict", "model", "meta", "net"]), max_size=3)
TENSORS = st.sampled_from([torch.ones(1), torch.zeros(2, 2), torch.tensor(3)])
COMPANY = st.dictionaries(
    st.builds("{}{}".format, PREFIXES, st.sampled_from(["queue", "fc.0.weight", "fc.bias", "conv1.weight", "head.x"])),
    TENSORS | st.sampled_from([None, 3, "text", [1]]),
    max_size=5,
)


def taken(content: object, wanted: str | None = None):
    """What is found in it; None if it is refused, in one line."""
    try:
        return find_weights(Path("a.pth"), content, wanted, RESNET50)
    except UserError as error:
        said = str(error)
    assert said.startswith("checkpoint a.pth")
    return None


@given(PREFIXES, PATHS, COMPANY, COMPANY)
@example("", [], {"conv1.weight": torch.ones(1)}, {})
@example("module.", ["state_dict"], {"module.fc.0.weight": torch.ones(1), "module": torch.ones(1)}, {})
def test_a_set_is_found_under_any_path_and_prefix_and_no_tensor_is_lost(prefix, path, beside, above):
    mapping = {**beside, **{prefix + key: value for key, value in SMALL.items()}}
    content = mapping
    for key in reversed(path):
        content = {**above, key: content}
    file = taken(content)
    assert file, "one set is no choice"
    assert {name for name in file.weights if not name.endswith("tracked")} == set(SMALL)
    assert all(file.weights[name] is mapping[prefix + name] for name in SMALL)
    of_set = {"/".join((*path, prefix + name)) for name in SMALL}
    for place in tensors(content):
        covered = [rest for rest in file.left_over if place == rest or place.startswith((f"{rest}.", f"{rest}/"))]
        assert len(covered) >= (place not in of_set), place


def tensors(content: object, path: str = "") -> list[str]:
    """Places of all tensors."""
    if isinstance(content, torch.Tensor):
        return [path]
    entries = content if isinstance(content, dict) else {}
    return [place for key, value in entries.items() for place in tensors(value, f"{path}/{key}" if path else key)]


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
            check_weights(Path("a.pth"), file.weights, RESNET50)


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
