"""The tables of docs/, generated and never typed: `python -m workflow.reporting.publish --config FILE`.

What the report needs of each run is copied from results/ to docs/results/, under its path, a block at a time: a
pretraining seed with all its runs. Blocks of other seeds that are kept there stay. The table of
docs/results/<experiment>/README.md, transfer.{csv,md} and the figures next to it are made from the copies only."""

import argparse
import contextlib
import re
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow.config.loading import load
from workflow.core.errors import UserError, cli_entry_point
from workflow.core.files import atomic, read_json
from workflow.planning.plan import Plan, plan
from workflow.planning.planned_run import PlannedRun
from workflow.planning.stored_records import FORMAT, with_recorded_paths
from workflow.reporting.answer import sentences
from workflow.reporting.comparability import check_columns
from workflow.reporting.metrics import heading, number
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.page.answer_figures import FIGURES, printed
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
    run = replace(run, record=str(docs / run.record), weights=str(docs / run.weights), check=str(docs / run.check))
    with contextlib.suppress(UserError, *FORMAT):  # of a record that is missing or damaged, which the report says
        return with_recorded_paths(run)
    return run


def keep(folders: Mapping[Path, Path], root: Path) -> None:
    """Make each of `folders` a copy of what the report needs of its value, which may be itself, and remove what else is
    kept of the experiment in `root`."""
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        if not any(folder == one or folder in one.parents for one in folders):
            shutil.rmtree(folder)
    for folder, source in folders.items():
        if folder.resolve() == source.resolve():
            continue
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for name in KEPT:
            if (source / name).is_file():
                shutil.copyfile(source / name, folder / name)


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
    todo = plan(without_records(todo.config)) if todo.config.get("records") else todo
    return summarize(replace(todo, runs=[place(run, docs) for run in todo.runs]))


def finished_seeds(todo: Plan) -> list[int]:
    """The pretraining seeds of which every run is finished: their blocks can be published.

    Raises:
        UserError: there is none.
    """
    outcomes = read(todo)
    begun = {run.seeds["pretrain"] for run in outcomes if isinstance(run, FinishedRun)}
    lacking = [run for run in outcomes if not isinstance(run, FinishedRun)]
    if finished := begun - {run.seeds["pretrain"] for run in lacking}:
        return sorted(finished)
    lacking = [run for run in lacking if run.seeds["pretrain"] in begun] or lacking  # what keeps a block from it
    names = ", ".join(f"{run.name} ({run.why})" for run in lacking)
    raise UserError(f"{len(lacking)} of {len(outcomes)} runs have no record to publish: {names}")


def kept_seeds(root: Path) -> set[int]:
    """The pretraining seeds of the records that are kept of an experiment."""
    found = (re.fullmatch(r"p(\d+)(s\d+)?", path.name) for path in root.glob("*/*/p*"))
    return {int(match[1]) for match in found if match}


def publish(config: dict[str, Any], docs: Path) -> Plan:
    """Copy the finished blocks of a config to where others of it are kept. A block is a pretraining seed with all its
    runs; what is kept of another recipe, data or row is removed.

    Args:
        config: checked; its `seeds.pretrain` may be some of the experiment's.
        docs: the folder that has `results`.

    Returns:
        The plan of all blocks that are kept then, with the paths of `results`.

    Raises:
        UserError: no block is finished, or two blocks cannot share a table. Nothing is changed then.
    """
    new, root = finished_seeds(plan(config)), docs / "results" / config["experiment"]
    seeds = sorted({*new, *kept_seeds(root)})
    here = without_records(config)
    ours, source = (plan(with_seeds(one, seeds)) for one in (here, config))
    pairs = list(zip(ours.runs, source.runs, strict=True))
    mixed = [found if run.seeds["pretrain"] in new else place(run, docs) for run, found in pairs]
    outcomes: list[Outcome] = [one for one in read(replace(ours, runs=mixed)) if isinstance(one, FinishedRun)]
    check_columns(outcomes, config["backbones"])
    done = {one.path for one in outcomes}
    finished = [(run, Path(one.record)) for (run, _), one in zip(pairs, mixed, strict=True) if Path(one.record) in done]
    keep({(docs / run.record).parent: record.parent for run, record in finished}, root)
    joint = plan(with_seeds(here, sorted({run.seeds["pretrain"] for run, _ in finished})))
    forget(joint, docs / "results")
    return joint


def without_records(config: dict[str, Any]) -> dict[str, Any]:
    """A config whose runs are all in results/."""
    return {key: value for key, value in config.items() if key != "records"}


def with_seeds(config: dict[str, Any], pretrain: list[int]) -> dict[str, Any]:
    """A config with other pretraining seeds."""
    return config | {"seeds": config["seeds"] | {"pretrain": pretrain}}


def table(summary: Summary) -> str:
    """A Markdown table: a row a backbone, the headline metric of each task, its change, interval and verdict; and below
    it what the verdicts say, and the machine."""
    columns = [(name, task.headline) for name, task in summary.tasks.items()]
    heads = [f"{task.title}<br>`{name}` {heading(task.headline)}" for name, task in summary.tasks.items()]
    lines = ["| backbone | " + " | ".join(heads) + " |", "|:--|" + ":--|" * len(columns)]
    for backbone in summary.backbones:
        cells = [_cell(summary.cell(backbone, column)) for column in columns]
        network = f"<br>{summary.network(backbone).words}" if summary.several else ""
        lines.append(f"| {backbone}{network} | " + " | ".join(cells) + " |")
    machine = one_machine(summary.outcomes)
    return "\n".join([*lines, "", *sentences(summary), *(["", machine] if machine else [])])


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
    config = load(parser.parse_args().config)
    out = DOCS / "results" / config["experiment"]
    inserted(out / PAGE, config["experiment"], "")
    todo = publish(config, DOCS)
    summary = stored_summary(todo, DOCS)
    page = inserted(out / PAGE, todo.experiment, table(summary))
    texts = {"transfer.csv": long_csv(summary), "transfer.md": markdown(summary), PAGE: page}
    figures = {f"{name}.svg": printed(summary, name, "svg") for name in FIGURES}
    files = {name: text.encode() for name, text in texts.items()} | figures
    for name, content in files.items():
        with atomic(out / name) as temporary:
            temporary.write_bytes(content)
    count = sum(isinstance(outcome, FinishedRun) for outcome in summary.outcomes)
    print(f"{count} runs kept in {out.parent}; their table is in {out / PAGE}")
    if waiting := [str(seed) for seed in config["seeds"]["pretrain"] if seed not in todo.config["seeds"]["pretrain"]]:
        print(f"pretraining seeds that are not finished yet, and not kept: {', '.join(waiting)}")


if __name__ == "__main__":
    main()
