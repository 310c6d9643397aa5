"""Files of networks that are not ResNets: the same layouts, under the names that timm gives their weights."""

from pathlib import Path

import pytest
import torch

from backbones.checkpoint_weights import find_weights
from backbones.construct import build
from backbones.network_signature import check_weights
from tests.backbones.layout_table import TABLE, pre
from workflow import registry
from workflow.core.errors import UserError

NETWORKS = ("timm/convnext_atto", "timm/mobilenetv3_small_050", "timm/efficientnet_b0")
FILE = Path("a.pth")
every_network = pytest.mark.parametrize("name", NETWORKS)


@pytest.fixture(scope="module")
def weights():
    """weights(network, seed): of a network with 3 classes, each made once."""
    made = {}

    def of(name, seed=0):
        if (name, seed) not in made:
            torch.manual_seed(seed)
            made[name, seed] = build(registry.network(name), classes=3).state_dict()
        return made[name, seed]

    return of


def read(content, name, wanted=None):
    network = registry.network(name)
    file = find_weights(FILE, content, wanted, network)
    return file, check_weights(FILE, file.weights, network, file.tensors)


def equal(one, other):
    return list(one) == list(other) and all(torch.equal(one[key], other[key]) for key in one)


@every_network
@pytest.mark.parametrize("row", [row for row in TABLE if row.every], ids=lambda row: row.title)
def test_each_row_of_every_network_is_read(row, name, weights):
    file, read_weights = read(row.content(weights(name), weights(name, 1)), name)
    assert equal(read_weights, weights(name))
    assert file.layout == ("state dict" if row.place == "/" else f"state dict under {row.place}")
    assert (file.which, sorted(file.left_over)) == ("only", sorted(row.rest))


@every_network
def test_the_average_is_meant_unless_the_config_says_raw(name, weights):
    content = {"state_dict": pre(weights(name), "model."), "state_dict_ema": pre(weights(name, 1), "model.")}
    for wanted, seed in ((None, 1), ("ema", 1), ("raw", 0)):
        assert equal(read(content, name, wanted)[1], weights(name, seed))
    with pytest.raises(UserError, match=f"2 full sets of a {registry.network(name).title}'s weights"):
        read({"student": weights(name), "teacher": weights(name, 1)}, name)


@every_network
def test_other_heads_next_to_the_network_are_left_over(name, weights):
    last = f"{registry.network(name).classifier}."
    bare = {key: value for key, value in weights(name).items() if not key.startswith(last)}
    heads = {f"{last.partition('.')[0]}.mlp.0.weight": torch.rand(2, 2), "projector.weight": torch.rand(2, 2)}
    file, read_weights = read({**bare, **heads}, name)
    assert equal(read_weights, bare)
    assert len(file.left_over) == 2


def test_parameters_are_enough_where_nothing_normalizes_batches(weights):
    convnext, efficientnet = NETWORKS[0], NETWORKS[2]
    network = build(registry.network(convnext), classes=3)
    parameters = {key: value.detach() for key, value in network.named_parameters()}
    assert equal(read(parameters, convnext)[1], network.state_dict())
    without = {key: value for key, value in weights(efficientnet).items() if "running" not in key}
    with pytest.raises(UserError, match=r"has all parameters of a .*, but no running statistics of batch norm"):
        read(without, efficientnet)


def test_buffers_that_follow_from_the_network_are_neither_missing_nor_too_much():
    """As older files of Swin have them, and timm's do not."""
    name = "timm/swin_tiny_patch4_window7_224"
    with torch.device("meta"):
        shapes = build(registry.network(name), classes=3).state_dict()
    plain = {key: torch.zeros(value.shape) for key, value in shapes.items()}
    older = {f"layers.0.blocks.{n}.attn.relative_position_index": torch.zeros(49, 49, dtype=torch.long) for n in (0, 1)}
    older["layers.0.blocks.1.attn_mask"] = torch.zeros(64, 49, 49)
    for content in (plain, {**plain, **older}, {"model": {**plain, **older}}):
        file, weights = read(content, name)
        assert weights.keys() == plain.keys()
        assert not file.left_over


def test_names_of_resnets_only_are_not_tried_on_others(weights):
    name = NETWORKS[0]
    mmpretrains = {
        f"head.{key}" if key.startswith("head.fc") else f"backbone.{key}": value for key, value in weights(name).items()
    }
    file, _ = read(mmpretrains, name)
    assert not any(key.startswith("head.fc") for key in file.weights), "its head is not this network's classifier"


def test_another_size_of_the_family_is_named():
    from timm import create_model

    with torch.device("meta"):
        small = create_model("convnext_small", num_classes=5).state_dict()
    for content in (small, {"state_dict": pre(small, "module.")}):
        with pytest.raises(
            UserError, match=r"looks like timm/convnext_small \(declare `network: timm/convnext_small`\)"
        ):
            read(content, "timm/convnext_tiny")
