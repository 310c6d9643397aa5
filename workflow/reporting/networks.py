"""The networks of a table: which rows each has, how large it is, and which row its others are compared with."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from workflow.config.rows import baselines, by_network
from workflow.reporting.outcome import FinishedRun, Outcome

MILLION = 1e6


@dataclass(frozen=True)
class NetworkRows:
    """The rows of one network.

    Args:
        name: of the network, as the config has it.
        rows: in the order of the config.
        baseline: the one that the others are compared with; "" if the network has none, and so no change.
        parameters: millions, of the network as published, with its classifier; None where no record has the number.
    """

    name: str
    rows: tuple[str, ...]
    baseline: str
    parameters: float | None

    @property
    def size(self) -> str:
        """`25.6`, in millions of parameters; empty where it is not known."""
        return "" if self.parameters is None else f"{self.parameters:.1f}"

    @property
    def words(self) -> str:
        """`resnet50, 25.6 M parameters`."""
        return f"{self.name}, {self.size} M parameters" if self.size else self.name


def network_rows(config: Mapping[str, Any], outcomes: Sequence[Outcome]) -> list[NetworkRows]:
    """All networks of a config, in the order of their first rows; their sizes are those of the records."""
    found = baselines(config)
    return [
        NetworkRows(name, tuple(rows), found.get(rows[0], ""), _parameters(outcomes, rows))
        for name, rows in by_network(config).items()
    ]


def against(networks: Sequence[NetworkRows]) -> str:
    """What changes are against, in words; empty if there is no baseline, and so no change."""
    if not any(network.baseline for network in networks):
        return ""
    if len(networks) == 1:
        return f"the row {networks[0].baseline}"
    pairs = "; ".join(f"{network.name}: {network.baseline or 'none, so no change'}" for network in networks)
    return f"the baseline of the row's network ({pairs})"


def _parameters(outcomes: Sequence[Outcome], rows: Sequence[str]) -> float | None:
    for outcome in outcomes:
        if outcome.backbone in rows and isinstance(outcome, FinishedRun) and "parameters" in outcome.record:
            return outcome.record["parameters"] / MILLION
    return None
