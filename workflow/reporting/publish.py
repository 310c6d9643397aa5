"""The tables of docs/, generated and never typed: `python -m workflow.reporting.publish --config FILE`.

What the report needs of each run is copied from results/ to docs/results/, under its path, in place of what was kept of
the experiment before. The table of docs/results/<experiment>/README.md and transfer.{csv,md} next to it are made from
the copies only."""

import argparse
import re
import shutil
from dataclasses import replace
from pathlib import Path

from workflow.config.loading import load
from workflow.core.errors import UserError, cli_entry_point
from workflow.core.files import atomic, read_json
from workflow.planning.plan import Plan, plan
from workflow.planning.planned_run import PlannedRun
from workflow.reporting.metrics import heading, number
from workflow.reporting.outcome import FinishedRun
from workflow.reporting.records import read
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Summary, summarize
from workflow.reporting.tables.footnotes import one_machine
from workflow.reporting.tables.text_tables import long_csv, markdown

KEPT = ("metrics.json", "config.json", "per_image.npz")
DOCS, PAGE = Path("docs"), "README.md"


def place(run: PlannedRun, docs: Path) -> PlannedRun:
    """A planned run where its record is kept. Weights and data are not, and what lies in results/ says nothing of the
    copies."""
    return replace(run, record=str(docs / run.record), weights=str(docs / run.weights), check=str(docs / run.check))


def keep(todo: Plan, docs: Path) -> None:
    """Copy what the report needs of the runs into `docs`, in place of all records that are there of this experiment."""
    for path in (docs / "results" / todo.experiment).iterdir():
        if path.is_dir():
            shutil.rmtree(path)
    for run in todo.runs:
        folder = Path(run.record).parent
        shutil.rmtree(docs / folder, ignore_errors=True)
        (docs / folder).mkdir(parents=True)
        for name in KEPT:
            if (folder / name).is_file():
                shutil.copyfile(folder / name, docs / folder / name)
    forget(todo, docs / "results")


def forget(todo: Plan, results: Path) -> None:
    """Remove kept backbones from which no kept run has started: they are of a recipe that is gone."""
    planned = {results.parent / Path(run.weights).parent for run in todo.runs}
    started = {
        read_json(record, "provenance")["provenance"].get("backbone")
        for record in results.glob("*/*/*/p*/metrics.json")
    }
    for record in sorted(results.glob("backbones/*/seed*/metrics.json")):
        published = read_json(record).get("files", {}).get("backbone.safetensors")
        if record.parent not in planned and published not in started:
            shutil.rmtree(record.parent)
    for folder in results.glob("backbones/*"):
        if not any(folder.iterdir()):
            folder.rmdir()


def stored_summary(todo: Plan, docs: Path) -> Summary:
    """The summary of the records in `docs`."""
    return summarize(replace(todo, runs=[place(run, docs) for run in todo.runs]))


def check_finished(todo: Plan) -> None:
    """UserError, before anything is changed, unless each run has a record that is the plan's."""
    if lacking := [f"{run.name} ({run.why})" for run in read(todo) if not isinstance(run, FinishedRun)]:
        raise UserError(f"{len(lacking)} of {len(todo.runs)} runs have no record to publish: {', '.join(lacking)}")


def table(summary: Summary) -> str:
    """A Markdown table: a row a backbone, the headline metric of each task, its change, interval and verdict; and below
    it the machine."""
    columns = [(name, task.headline) for name, task in summary.tasks.items()]
    heads = [f"{task.title}<br>`{name}` {heading(task.headline)}" for name, task in summary.tasks.items()]
    lines = ["| backbone | " + " | ".join(heads) + " |", "|:--|" + ":--|" * len(columns)]
    for backbone in summary.backbones:
        cells = [_cell(summary.cell(backbone, column)) for column in columns]
        network = f"<br>{summary.network(backbone).words}" if summary.several else ""
        lines.append(f"| {backbone}{network} | " + " | ".join(cells) + " |")
    machine = one_machine(summary.outcomes)
    return "\n".join([*lines, *(["", machine] if machine else [])])


def _cell(cell: Cell) -> str:
    """`43.8 ± 0.4 (n = 3)`, and below it the change with its interval and verdict."""
    if cell.mean is None:
        return "–"
    spread = f" ± {number(cell.metric, cell.std)} (n = {cell.n})" if cell.std is not None else ""
    lines = [number(cell.metric, cell.mean) + spread]
    if cell.change is not None:
        change = number(cell.metric, cell.change, sign=True)
        if cell.limits:
            low, high = (number(cell.metric, limit, sign=True) for limit in cell.limits)
            change += f" [{low}, {high}]"
        lines.append(change + (f", {cell.verdict_text}" if cell.verdict else ""))
    return "<br>".join(lines).replace("-", "−")


def inserted(page: Path, name: str, text: str) -> str:
    """The text of a page with `text` between the two marks of table `name`.

    Raises:
        UserError: the page cannot be read, or has no such marks.
    """
    try:
        content = page.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"{page}: cannot be read: {error.strerror}") from None
    marks = f"<!-- table: {name} -->\n", "<!-- end of table -->"
    pattern = re.escape(marks[0]) + r".*?" + re.escape(marks[1])
    if not re.search(pattern, content, re.S):
        raise UserError(f"{page}: no place for the table of {name}: {marks[0].strip()} … {marks[1]}")
    return re.sub(pattern, lambda _: f"{marks[0]}{text}\n{marks[1]}", content, flags=re.S)


def insert(page: Path, name: str, text: str) -> None:
    """Write `text` between the marks of table `name` of a page. Raises as `inserted`."""
    content = inserted(page, name, text)
    with atomic(page) as temporary:
        temporary.write_text(content, encoding="utf-8")


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(
        description="Keep the records of an experiment in docs/results, and write its table into their README.md."
    )
    parser.add_argument("--config", required=True, type=Path, help="config file")
    todo = plan(load(parser.parse_args().config))
    out = DOCS / "results" / todo.experiment
    inserted(out / PAGE, todo.experiment, "")
    check_finished(todo)
    keep(todo, DOCS)
    summary = stored_summary(todo, DOCS)
    for path, content in (
        (out / "transfer.csv", long_csv(summary)),
        (out / "transfer.md", markdown(summary)),
        (out / PAGE, inserted(out / PAGE, todo.experiment, table(summary))),
    ):
        with atomic(path) as temporary:
            temporary.write_text(content, encoding="utf-8", newline="")
    print(f"{len(todo.runs)} runs kept in {out.parent}; their table is in {out / PAGE}")


if __name__ == "__main__":
    main()
