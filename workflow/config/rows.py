"""The rows of a table: where each one's backbone comes from, by which recipe it is pretrained, and which row of its
network is the baseline."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal

from workflow import registry
from workflow.registry import PRETRAIN

BASELINE = "baseline"  # what no row but the baseline of its network may be called
Origin = Literal["pretrained", "imported", "random"]


def origin(backbone: Mapping[str, Any]) -> Origin:
    """Where the weights of a row come from, by its section."""
    return "imported" if "checkpoint" in backbone else "random" if "init" in backbone else "pretrained"


def recipe(config: Mapping[str, Any], row: str) -> dict[str, Any]:
    """The section `pretrain` as it holds for a row: with its network and with what it overrides."""
    network = {"network": registry.network_name(config, row)}
    return config[PRETRAIN] | config["backbones"][row].get("pretrain", {}) | network


def places(config: Mapping[str, Any], row: str) -> dict[str, str]:
    """Where each key of a row's recipe stands in the config."""
    own = config["backbones"][row].get("pretrain", {})
    found = {key: f"backbones.{row}.pretrain.{key}" if key in own else f"pretrain.{key}" for key in recipe(config, row)}
    return found | ({"network": f"backbones.{row}.network"} if "network" in config["backbones"][row] else {})


def by_network(config: Mapping[str, Any]) -> dict[str, list[str]]:
    """The rows of each network, in the order of the config."""
    found: dict[str, list[str]] = {}
    for row in config["backbones"]:
        found.setdefault(registry.network_name(config, row), []).append(row)
    return found


def unregularized(config: Mapping[str, Any], rows: list[str]) -> list[str]:
    """Of the rows of a network, those that may be its baseline: pretrained here without a regularizer; of several,
    those that override nothing. Where none is pretrained so, an imported one that is called so."""
    specs = {row: config["backbones"][row] for row in rows}
    plain = [row for row, each in specs.items() if origin(each) == "pretrained" and "regularizers" not in each]
    if not plain:
        return [row for row, each in specs.items() if row == BASELINE and origin(each) == "imported"]
    return [row for row in plain if not specs[row].get("pretrain")] or plain


def baselines(config: Mapping[str, Any]) -> dict[str, str]:
    """Row to the baseline of its network (the baseline to itself), for the networks that have one."""
    found: dict[str, str] = {}
    for rows in by_network(config).values():
        if len(plain := unregularized(config, rows)) == 1:
            found |= dict.fromkeys(rows, plain[0])
    return found


def baseline_faults(config: Mapping[str, Any]) -> Iterator[str]:
    """Two baselines of a network, and a row that is called so and is none."""
    for network, rows in by_network(config).items():
        plain = unregularized(config, rows)
        if len(plain) > 1:
            what = f"{plain[0]} too is a {network} without a regularizer, and the baseline of a network is one row"
            yield f"backbones.{plain[1]}: {what}"
        elif BASELINE in rows and plain != [BASELINE]:
            is_it = f"; {plain[0]} is that" if plain else ""
            what = f"not the baseline of {network}, its row that is pretrained here without a regularizer{is_it}"
            yield f"backbones.{BASELINE}: {what}; choose another name"
