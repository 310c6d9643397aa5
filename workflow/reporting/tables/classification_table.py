"""The classification table: what each backbone is and how well it classifies, the paper's numbers beside."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from workflow.config import rows
from workflow.contracts import Task
from workflow.core.formatting import plain
from workflow.registry import PRETRAIN
from workflow.reporting.networks import NetworkRows
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.statistics.cells import Cell, Cells
from workflow.reporting.tables.footnotes import origin


class Classified(NamedTuple):
    """A row: `about` is what the backbone is, `epochs` for how long it was trained, `cells` are the metrics."""

    backbone: str
    about: str
    epochs: str
    cells: tuple[Cell, ...]

    @property
    def empty(self) -> bool:
        """Is there no number, for one reason?"""
        return all(cell.n == 0 and cell.missing == self.cells[0].missing for cell in self.cells)


def classified(
    specs: dict[str, dict[str, Any]],
    networks: Sequence[NetworkRows],
    pretraining: Task,
    cells: Cells,
    outcomes: list[Outcome],
) -> list[Classified]:
    """One row a backbone of the config's section `backbones`, network by network."""
    metrics = [metric.name for metric in pretraining.metrics if metric.table != "csv"]
    found = []
    for network, name in ((one, row) for one in networks for row in one.rows):
        own = [o for o in outcomes if (o.task, o.backbone) == (PRETRAIN, name)]
        what = f"{network.name}: {summary(specs[name])}" if len(networks) > 1 else summary(specs[name])
        found.append(Classified(name, what, epochs(own), tuple(cells[name, PRETRAIN, one] for one in metrics)))
    return found


def summary(spec: dict[str, Any]) -> str:
    """What a backbone is, with every parameter of its regularizers."""
    parts = [f"{name}: {plain(parameters)}" for name, parameters in spec.get("regularizers", {}).items()]
    if not parts and rows.origin(spec) == "pretrained":
        parts = ["no regularizer"]
    return "; ".join(filter(None, [*parts, origin(spec)]))


def epochs(outcomes: list[Outcome]) -> str:
    """The epochs of the runs that were trained here, as their configs have it; empty where none was."""
    trained = [o for o in outcomes if isinstance(o, FinishedRun) and o.record["history"]["points"]]
    return ", ".join(sorted({str(o.config["recipe"]["epochs"]) for o in trained}))
