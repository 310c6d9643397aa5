"""transfer.html: one self-contained page that asks nothing of any server; each number opens its trail (law 8)."""

import base64
import hashlib
import io
import json
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2
from markupsafe import Markup, escape

from workflow.core.escaping import printable
from workflow.reporting.answer import compared, sentences
from workflow.reporting.metrics import heading, number
from workflow.reporting.outcome import FinishedRun, Outcome
from workflow.reporting.page.answer_figures import FIGURES, svg
from workflow.reporting.page.curves import curves
from workflow.reporting.page.downloads import address, size
from workflow.reporting.page.external_figures import sources
from workflow.reporting.page.scorecard import Scorecard
from workflow.reporting.page.sections import PROJECT, Section, sections
from workflow.reporting.statistics.cells import Cell
from workflow.reporting.summary import Summary, best_epoch
from workflow.reporting.tables.paper_deviations import Departure, choices
from workflow.reporting.tables.per_class import class_tables
from workflow.reporting.tables.run_resources import run, total, waiting
from workflow.reporting.tables.sensitivity import sensitivities
from workflow.reporting.tables.text_tables import REASON_WIDTH, WIDE_REASON_WIDTH, classification_groups, clipped

QUOTED = re.compile(r"(?<!`)(``?)(?=[^\s`])([^`]+)(?:(?<=\S)\1(?!`)|(?<=…)$)")


TEMPLATES = Path(__file__).parent / "templates"
WEIGHTY = 50_000  # bytes of a PNG from which on it is a WebP in the page: the same pixels in half the bytes


def html(
    summary: Summary,
    folder: Path,
    drawn: dict[str, bytes],
    missing: dict[str, str],
    departures: list[Departure],
    files: dict[str, bytes],
) -> dict[str, str]:
    """The pages as they will lie in `folder`, by file name: transfer.html, and the figures drawn here.

    Links are relative to `folder`; all data are escaped. `drawn` holds the figures that other rules have made
    (Plan.figures), by name; each becomes a part of the page. `missing` says of the others why they are not drawn (both
    from workflow.reporting.page.external_figures). `departures`: see workflow.reporting.tables.paper_deviations;
    `files`: see workflow.reporting.page.downloads.
    """
    drawings = {name: curves(summary, name) for name, task in summary.tasks.items() if task.kind == "train"}
    plots = {name: svg(summary, name) for name in FIGURES}
    narrow = {name: svg(summary, name, across=1) for name in FIGURES}
    environment = templates(folder)
    environment.globals |= {
        "answer": {"sentences": sentences(summary), "rows": compared(summary), "wide": plots, "narrow": narrow},
        "downloads": [(name, address(name, content), size(content)) for name, content in files.items()],
        "summary": summary,
        "departures": departures,
        "scorecard": Scorecard.of(summary),
        "sensitivities": sensitivities(summary),
        "curves": drawings,
        "class_tables": class_tables(summary),
        "missing": missing,
        "sources": lambda name: sources(drawn[name], summary),
        "picture": lambda name: data_url(drawn[name]),
        "material": lambda name: json.loads(drawn[name]),
    }
    parts = sections(summary, drawn.keys() | missing.keys())
    figure = environment.get_template("figure.html.j2")
    figures = {f"{name}.html": figure.render(section=part) for section in parts for name, part in section.pages.items()}
    figures |= {f"curves_{task}.svg": svg for task, svg in drawings.items()}
    figures |= {f"{name}.svg": svg for name, svg in plots.items()}
    return {"transfer.html": page(summary, environment, parts)} | figures


def templates(folder: Path) -> jinja2.Environment:
    """The templates with all that they call."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader([TEMPLATES, PROJECT]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    called = (heading, clipped, best_epoch, singles, backbone_hash, anchor, place, one_n, total, waiting, choices)
    environment.globals |= {function.__name__: function for function in called}
    environment.globals["number"] = lambda metric, value, sign=False: number(metric, value, sign).replace("-", "−")
    environment.filters["code"] = code
    environment.globals["link"] = lambda path: link(path, folder)
    script = (TEMPLATES / "table.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    environment.globals |= {"script": Markup(script), "script_hash": digest}
    return environment


def visible(value: object) -> Any:
    """Data without characters that cannot be seen; what a template or a drawing has made is whole."""
    return printable(value, keep="\n") if type(value) is str else value


def code(text: str) -> Markup:
    """A text of the project as HTML, what stands in backticks as <code>; where it is clipped within, up to there."""
    return Markup(QUOTED.sub(r"<code>\2</code>", str(escape(visible(text)))))


def page(summary: Summary, environment: jinja2.Environment, parts: list[Section]) -> str:
    """transfer.html."""
    return environment.get_template("page.html.j2").render(
        sections=parts,
        groups=[(name, one.title, sum(t == name for t, _ in summary.columns)) for name, one in summary.tasks.items()],
        runs={task: [run(o) for o in summary.outcomes if o.task == task] for task in summary.tasks},
        classification_groups=classification_groups(summary),
        widths=(REASON_WIDTH, WIDE_REASON_WIDTH),
    )


def data_url(picture: bytes) -> str:
    """A PNG or JPEG as a part of the page."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    if kind == "png" and len(picture) > WEIGHTY:
        kind, picture = "webp", lossless_webp(picture)
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def lossless_webp(picture: bytes) -> bytes:
    """The same pixels in fewer bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as image:
        image.save(buffer, format="webp", lossless=True)
    return buffer.getvalue()


def link(path: Path, folder: Path) -> str:
    """`path` relative to `folder`, as a URL."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def anchor(outcome: Outcome) -> str:
    """Where on the page a run stands, as an id without blanks."""
    return quote(f"run-{outcome.task}-{outcome.backbone}-{outcome.seed_name}", safe="")


def place(*names: str) -> str:
    """Where a row or a cell of a table stands, as an id that does not change: `cell:cutmix:ssd_voc:mAP`."""
    return ":".join(quote(name, safe="") for name in names)


def one_n(cells: Iterable[Cell]) -> int | None:
    """The number of runs behind each of these means, where it is the same: then their heading says it."""
    counts = {cell.n for cell in cells if cell.n}
    return counts.pop() if len(counts) == 1 else None


def singles(cell: Cell) -> list[tuple[FinishedRun, str]]:
    """The runs behind a mean, each with its value."""
    return [(o, number(cell.metric, v)) for o, v in zip(cell.runs, cell.values, strict=True)]


def backbone_hash(outcome: FinishedRun) -> str:
    """The first digits of the hash of the backbone that a transfer began with; pretraining begins with none."""
    return (outcome.record["provenance"].get("backbone") or "")[:10]
