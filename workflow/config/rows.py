"""The rows of a table: where each one's backbone comes from, by which recipe it is pretrained, and which row of its
network is the baseline."""

from collections.abc import Mapping
from typing import Any, Literal

from workflow import registry
from workflow.registry import PRETRAIN

Origin = Literal["pretrained", "brought", "random"]


def origin(backbone: Mapping[str, Any]) -> Origin:
    """Where the weights of a row come from, by its section."""
    return "brought" if "checkpoint" in backbone else "random" if "init" in backbone else "pretrained"


def recipe(config: Mapping[str, Any], row: str) -> dict[str, Any]:
    """The section `pretrain` as it holds for a row: with its network and with what it overrides."""
    network = {"network": registry.network_name(config, row)}
    return config[PRETRAIN] | config["backbones"][row].get("pretrain", {}) | network


def places(config: Mapping[str, Any], row: str) -> dict[str, str]:
    """Where each key of a row's recipe stands in the config."""
    own = config["backbones"][row].get("pretrain", {})
    found = {key: f"backbones.{row}.pretrain.{key}" if key in own else f"pretrain.{key}" for key in recipe(config, row)}
    return found | ({"network": f"backbones.{row}.network"} if "network" in config["backbones"][row] else {})
