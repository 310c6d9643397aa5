"""The table for programs: transfer.json, with the answer, each cell with its runs, and each run with the hash of its
record."""

import json
from dataclasses import asdict
from typing import Any

from workflow.reporting.answer import correlation, headlines, sentences
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Summary


def json_table(summary: Summary) -> str:
    """The content of the file. What is not there is left out."""
    content = {
        "experiment": summary.experiment,
        "notices": summary.notices,
        "answer": sentences(summary),
        "kendall_tau": {task: asdict(correlation(summary, (task, metric))) for task, metric in headlines(summary)},
        "cells": [cell_content(cell) for cell in summary.cells.values()],
        "references": [
            {"name": name, "task": task, "metric": metric, "value": value}
            for name, scores in summary.references.items()
            for (task, metric), value in scores.items()
        ],
        "runs": [run_content(outcome) for outcome in summary.outcomes],
    }
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def cell_content(cell: Cell) -> dict[str, Any]:
    """A number with its change, the interval of that, and the runs behind it."""
    found = {
        "backbone": cell.backbone,
        "task": cell.task,
        "metric": cell.metric.name,
        "unit": cell.metric.unit,
        "better": cell.metric.better,
        "mean": cell.mean,
        "std": cell.std,
        "n": cell.n,
        "values": {run.seed_name: value for run, value in zip(cell.runs, cell.values, strict=True)},
        "baseline": cell.baseline,
        "change": cell.change,
        "interval": cell.limits if cell.change is not None else None,
        "covers": cell.covers,
        "seeds": cell.seeds,
        "verdict": cell.verdict,
        "missing": cell.missing,
        "paper": cell.paper.value if cell.paper else None,
        "paper_source": cell.paper.source if cell.paper else "",
    }
    return {key: value for key, value in found.items() if value not in (None, "", (), {})}


def run_content(outcome: Outcome) -> dict[str, Any]:
    """A planned run: its record's path and hash, or why it has none."""
    names = {"task": outcome.task, "backbone": outcome.backbone, "seeds": outcome.seeds}
    if not isinstance(outcome, FinishedRun):
        return names | {"missing": outcome.why}
    return names | {"record": outcome.path.as_posix(), "sha256": outcome.record["sha256"]}
