"""All that the report says, before it is drawn: a pure function of the plan and the records that exist."""

from dataclasses import dataclass
from typing import Any, NamedTuple

from workflow import registry
from workflow.config.rows import origin
from workflow.contracts import Metric, Task
from workflow.planning.plan import Plan
from workflow.reporting.comparability import check_columns
from workflow.reporting.networks import NetworkRows, network_rows
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.records import instances, read
from workflow.reporting.statistics.cells import Cell, Cells, cells, mean_over
from workflow.reporting.statistics.paper import comparable, paper_numbers
from workflow.reporting.tables import footnotes
from workflow.reporting.tables.classification_table import Classified, classified
from workflow.reporting.tables.paper_deviations import paper_config

Column = tuple[str, Metric]  # instance of a task, and one of its metrics


@dataclass(frozen=True)
class Summary:
    """The content of every output. `networks`: those of the rows, in whose order these are; `tasks`: the instances of
    tasks, pretraining first, to their types; `dataset`: title of what backbones are pretrained on; `origins`: what a
    row is beyond its name; `protocols`: task to (key, text); `imported`: the rows whose backbone is a file, of which
    there is no other pretraining; `controls`: those whose backbone is random, the negative controls; `references`:
    scores that need no network, which have rows of their own below the backbones: name to (task, metric) to value;
    `paper_config`: the shipped config with the paper's settings on this pretraining set; `config`: the plan's."""

    experiment: str
    networks: list[NetworkRows]
    tasks: dict[str, Task]
    dataset: str
    cells: Cells
    classified: list[Classified]
    outcomes: list[Outcome]
    origins: dict[str, str]
    notices: list[str]
    remarks: list[str]
    protocols: dict[str, list[tuple[str, str]]]
    imported: list[str]
    controls: list[str]
    references: dict[str, dict[tuple[str, str], float]]
    paper_config: str
    config: dict[str, Any]

    @property
    def backbones(self) -> list[str]:
        """The rows, those of a network together."""
        return [row for network in self.networks for row in network.rows]

    @property
    def several(self) -> list[NetworkRows]:
        """The networks, if there is more than one: a row then says which it has."""
        return self.networks if len(self.networks) > 1 else []

    def network(self, backbone: str) -> NetworkRows:
        """That of a row, with its other rows."""
        return next(network for network in self.networks if backbone in network.rows)

    @property
    def columns(self) -> list[Column]:
        """Of the wide transfer tables; transfer.csv has more metrics."""
        return [(task, metric) for task, metric in self.terminal_columns if metric.table == "wide"]

    @property
    def terminal_columns(self) -> list[Column]:
        """Of the terminal's, which is both tables in one."""
        return [(name, metric) for name, task in self.tasks.items() for metric in task.metrics if metric.table != "csv"]

    @property
    def metrics(self) -> list[Metric]:
        """Of all tasks."""
        return [metric for task in self.tasks.values() for metric in task.metrics]

    def reference(self, name: str, column: Column) -> float | None:
        """The score of a reference in a column; None if it has none."""
        return self.references[name].get((column[0], column[1].name))

    def cell(self, backbone: str, column: Column) -> Cell:
        """The cell of a row and a column."""
        return self.cells[backbone, column[0], column[1].name]

    def column_cells(self, column: Column) -> list[Cell]:
        """The cells of a column, a row each."""
        return [self.cell(backbone, column) for backbone in self.backbones]

    @property
    def wide_cells(self) -> list[Cell]:
        """All cells of the wide tables."""
        return [cell for column in self.columns for cell in self.column_cells(column)]

    @property
    def stale(self) -> list[Outcome]:
        """The runs whose records are not the plan's."""
        return [outcome for outcome in self.outcomes if outcome.status == "stale"]

    @property
    def unfinished(self) -> list[str]:
        """What is not done: a line for each run that is stale, failed or has begun, and how many have not."""
        lacking = [outcome for outcome in self.outcomes if not isinstance(outcome, FinishedRun)]
        lines = [f"{outcome.name}: {outcome.why}" for outcome in lacking if outcome.reason]
        waiting = sum(not outcome.reason for outcome in lacking)
        return lines + ([f"{waiting} of {len(self.outcomes)} runs are pending"] if waiting else [])


def summarize(plan: Plan) -> Summary:
    """Read the records of `plan`; UserError if they cannot share a table."""
    tasks, outcomes, specs = instances(plan), read(plan), plan.config["backbones"]
    networks = network_rows(plan.config, outcomes)
    order, backbones = list(tasks), [row for network in networks for row in network.rows]
    outcomes.sort(key=lambda o: (order.index(o.task), backbones.index(o.backbone)))
    check_columns(outcomes, specs)
    imported, controls = ([row for row in backbones if origin(specs[row]) == kind] for kind in ("imported", "random"))
    dataset = registry.layout_of(plan.config, registry.data_name(plan.config, registry.PRETRAIN))
    paper = comparable(plan.config, outcomes, paper_numbers(dataset.name))
    table = cells(networks, tasks, outcomes, paper, imported)
    return Summary(
        experiment=plan.experiment,
        networks=networks,
        tasks=tasks,
        dataset=dataset.title,
        cells=table,
        classified=classified(specs, networks, tasks[registry.PRETRAIN], table, outcomes),
        outcomes=outcomes,
        origins={name: footnotes.origin(specs[name]) for name in backbones},
        notices=footnotes.notices(plan.config, outcomes),
        remarks=footnotes.remarks(outcomes, table, tasks, networks, dataset.classes, imported),
        imported=imported,
        controls=controls,
        protocols={task: footnotes.protocol(outcomes, task) for task in tasks},
        references=references(outcomes),
        paper_config=str(paper_config(plan.config).relative_to(registry.PROJECT)),
        config=plan.config,
    )


def references(outcomes: list[Outcome]) -> dict[str, dict[tuple[str, str], float]]:
    """The scores of the records that need no network: name to (task, metric) to value."""
    found: dict[str, dict[tuple[str, str], float]] = {}
    for outcome in outcomes:
        for name, scores in outcome.record.get("references", {}).items() if isinstance(outcome, FinishedRun) else ():
            found.setdefault(name, {}).update({(outcome.task, metric): value for metric, value in scores.items()})
    return found


class Best(NamedTuple):
    """The best evaluation of a cell: its value (a mean as the cell's), and each run's epoch (or iteration: `unit`)."""

    value: float
    unit: str
    when: list[int]

    @property
    def words(self) -> str:
        """`epoch 3`, or with several runs `epoch 3, 4`."""
        return f"{self.unit} {', '.join(map(str, self.when))}"


def best_epoch(cell: Cell) -> Best | None:
    """What the best epoch would have given, to be shown beside the last (law 2).

    None unless every run was evaluated more than once and says which evaluation was best, as the trainers do.
    """
    found = [o.record["best"] for o in cell.runs if cell.metric.name in o.record.get("best", {})]
    several = all(len(o.record["history"]["evaluations"]) > 1 for o in cell.runs)
    if not found or len(found) < cell.n or not several:
        return None
    unit = "epoch" if "epoch" in found[0] else "iteration"
    value = mean_over(cell.runs, lambda run: run.record["best"][cell.metric.name])
    return Best(value, unit, [int(best[unit]) for best in found])
