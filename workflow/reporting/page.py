"""transfer.html: one self-contained page that asks nothing of any server; each number opens its trail (law 8)."""

import base64
import json
import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from jinja2.utils import markupsafe

from workflow.reporting.costs import run, total, waiting
from workflow.reporting.curves import curves
from workflow.reporting.differences import Departure, choices
from workflow.reporting.drawn import sources
from workflow.reporting.metrics import TITLES, number
from workflow.reporting.per_class import class_tables
from workflow.reporting.records import Outcome
from workflow.reporting.statistics import Cell
from workflow.reporting.summary import Summary, best_epoch
from workflow.reporting.text import IMAGENET_GROUPS, IMAGENET_REASON_WIDTH, REASON_WIDTH, clipped, heading
from workflow.training.escaping import printable

SECTIONS = {  # below the transfer table: name of the template and of the anchor, and title
    "classification": "ImageNet classification",
    "curves": "Learning curves",
    "per_class": "Average precision of each class",
    "detections": "Detections on the same images",
    "captions": "Captions of the same photos",
    "activations": "Class activation maps",
    "gallery": "Regularizers at work",
    "protocol": "Protocol",
    "differences": "What differs from the paper",
    "runs": "Runs: time, memory, speed",
}
FIGURES = ("per_class", "captions")  # sections that are a file of their own too
QUOTED = re.compile(r"(?<!`)(``?)(?=[^\s`])([^`]+)(?:(?<=\S)\1(?!`)|(?<=…)$)")
WORDS = Path(__file__).parents[1] / "report"  # how to read a figure: the captions of `snakemake --report`


def html(
    summary: Summary, folder: Path, drawn: dict[str, bytes], missing: dict[str, str], departures: list[Departure]
) -> dict[str, str]:
    """The pages as they will lie in `folder`, by file name: transfer.html, and the figures drawn here.

    Links are relative to `folder`; all data are escaped. `drawn` holds the figures that other rules have made
    (Plan.figures), by name; each becomes a part of the page. `missing` says of the others why they are not drawn (both
    from workflow.reporting.drawn). `departures`: see workflow.reporting.differences.
    """
    drawings = {task: curves(summary, task) for task in summary.tasks}
    detectors = [task for task in summary.tasks if task not in ("pretrain", "nic_coco")]
    planned = drawn.keys() | missing.keys()
    detected = [task for task in detectors if f"detections_{task}" in planned]
    environment = templates(folder)
    environment.globals |= {
        "summary": summary,
        "departures": departures,
        "curves": drawings,
        "class_tables": class_tables(summary),
        "detected": detected,
        "missing": missing,
        "sources": lambda name: sources(drawn[name], summary),
        "picture": lambda name: data_url(drawn[name]),
        "material": lambda name: json.loads(drawn[name]),
    }
    there = {*SECTIONS} - {"captions", "activations", "gallery", "per_class", "detections"} | planned
    there |= {name for name, tasks in (("per_class", detectors), ("detections", detected)) if tasks}
    sections = {name: title for name, title in SECTIONS.items() if name in there}
    figure = environment.get_template("figure.html.j2")
    figures = {f"{name}.html": figure.render(id=name, title=sections[name]) for name in FIGURES if name in sections}
    figures |= {f"curves_{task}.svg": svg for task, svg in drawings.items()}
    return {"transfer.html": page(summary, environment, sections)} | figures


def templates(folder: Path) -> jinja2.Environment:
    """The templates with all that they call."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    called = (heading, clipped, best_epoch, singles, backbone_hash, anchor, total, waiting, words, choices)
    environment.globals |= {function.__name__: function for function in called}
    environment.globals["number"] = lambda metric, value, sign=False: number(metric, value, sign).replace("-", "−")
    environment.filters["code"] = code
    environment.globals["link"] = lambda path: link(path, folder)
    return environment


def visible(value: Any) -> Any:
    """Data without characters that cannot be seen; what a template or a drawing has made is whole."""
    return printable(value, keep="\n") if type(value) is str else value


def code(text: str) -> markupsafe.Markup:
    """A text of the project as HTML, what stands in backticks as <code>; where it is clipped within, up to there."""
    return markupsafe.Markup(QUOTED.sub(r"<code>\2</code>", str(markupsafe.escape(visible(text)))))


def page(summary: Summary, environment: jinja2.Environment, sections: dict[str, str]) -> str:
    """transfer.html."""
    return environment.get_template("page.html.j2").render(
        sections=sections,
        groups=[(task, TITLES[task], sum(t == task for t, _ in summary.columns)) for task in summary.tasks],
        runs={task: [run(o) for o in summary.outcomes if o.task == task] for task in summary.tasks},
        imagenet_groups=IMAGENET_GROUPS,
        widths=(REASON_WIDTH, IMAGENET_REASON_WIDTH),
    )


def words(name: str) -> str:
    """How to read a section, if it has a caption."""
    file = WORDS / f"{name}.rst"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def data_url(picture: bytes) -> str:
    """A PNG or JPEG as a part of the page."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def link(path: Path, folder: Path) -> str:
    """`path` relative to `folder`, as a URL."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def anchor(outcome: Outcome) -> str:
    """Where on the page a run stands, as an id without blanks."""
    return quote(f"run-{outcome.task}-{outcome.backbone}-{outcome.seed_name}", safe="")


def singles(cell: Cell) -> list[tuple[Outcome, str]]:
    """The runs behind a mean, each with its value."""
    return [(o, number(cell.metric, v)) for o, v in zip(cell.runs, cell.values, strict=True)]


def backbone_hash(outcome: Outcome) -> str:
    """The first digits of the hash of the backbone that a transfer began with; pretraining begins with none."""
    return (outcome.record["provenance"].get("backbone") or "")[:10]
