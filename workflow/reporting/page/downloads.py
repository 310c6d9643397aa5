"""What a reader can take from the page: tables, the answer's figures for a paper, and all records. Each is a file next
to the page and, unless it is large, a part of it, so that a page that was mailed alone still has it."""

import base64
import io
import mimetypes
import zipfile

from markupsafe import Markup

from workflow.reporting.outcome import FinishedRun
from workflow.reporting.page.answer_figures import FIGURES, printed
from workflow.reporting.summary import Summary
from workflow.reporting.tables.json_table import json_table
from workflow.reporting.tables.latex import latex
from workflow.reporting.tables.text_tables import long_csv

EMBEDDED = 250_000  # bytes of a file that is a part of the page, at most
RECORDS = "records.zip"


def downloads(summary: Summary) -> dict[str, bytes]:
    """Their contents by file name."""
    tables = {"csv": long_csv(summary), "tex": latex(summary), "json": json_table(summary)}
    files = {f"transfer.{kind}": text.encode() for kind, text in tables.items()}
    return files | {f"{name}.pdf": printed(summary, name) for name in FIGURES} | {RECORDS: records(summary)}


def records(summary: Summary) -> bytes:
    """A ZIP with record and config of each finished run, under their paths in the workflow's folder; the same records
    give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for outcome in summary.outcomes:
            if isinstance(outcome, FinishedRun):
                for path in (outcome.path, outcome.path.with_name("config.json")):
                    below = "/".join(part for part in path.parts if part not in (path.anchor, ".."))
                    name = zipfile.ZipInfo(below)  # of 1980: no time of this run
                    name.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(name, path.read_bytes())
    return buffer.getvalue()


def address(name: str, content: bytes) -> Markup:
    """Where a link of the page leads for a file: into the page, or to the file next to it if it is large."""
    if len(content) > EMBEDDED:
        return Markup(name)
    kind = mimetypes.guess_type(name)[0] or "text/plain"
    return Markup(f"data:{kind};base64,{base64.b64encode(content).decode()}")


def size(content: bytes) -> str:
    """`12 KB`"""
    return f"{max(1, round(len(content) / 1000)):,} KB"
