"""Scores that need no network: rows of their own in every table, the same for all backbones."""

import csv
import io
import json
import re
from pathlib import Path

import pytest

from workflow.core.errors import UserError
from workflow.core.files import write_record_file
from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.latex import latex
from workflow.reporting.tables.text_tables import long_csv, markdown, terminal

NAME = "centred <Gaussian>"


@pytest.fixture
def small(experiment):
    """A finished experiment whose detector has a reference in one of its columns."""
    found = experiment()
    for run in found.plan.runs:
        if run.task == "ssd_voc":
            found.sign(run, references={NAME: {"mAP": 33.25}})
    return found


def test_every_output_has_its_row(small):
    summary = summarize(small.plan)
    assert summary.references == {NAME: {("ssd_voc", "mAP"): 33.25}}
    rows = list(csv.DictReader(io.StringIO(long_csv(summary))))
    (row,) = [row for row in rows if row["backbone"] == NAME]
    assert (row["task"], row["metric"], row["mean"], row["n"]) == ("ssd_voc", "mAP", "33.2500", "")
    assert row["verdict"] == "reference, no network"
    (line,) = [line for line in markdown(summary).splitlines() if "Gaussian" in line and line.startswith("|")]
    assert line.startswith("| *centred &lt;Gaussian&gt;* (reference, no network) | ")
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert [cell for cell in cells[1:] if cell] == ["33.2"]
    heads = next(line for line in markdown(summary).splitlines() if line.startswith("| backbone"))
    assert heads.strip("|").split("|")[cells.index("33.2")].strip().startswith("ssd_voc<br>mAP ")
    (line,) = [line for line in terminal(summary, Path("x")).splitlines() if line.startswith(NAME) and "33" in line]
    assert line.split()[-1] == "33.2"
    assert r"\emph{centred \textless{}Gaussian\textgreater{}} & " in latex(summary)
    assert r": a reference that needs no network." in latex(summary)
    page = html(summary, small.folder, {}, {}, [], {})["transfer.html"]
    assert re.search("centred &lt;Gaussian&gt;<a [^>]*></a><small>reference, no network</small>", page)


def test_without_a_reference_nothing_of_it_is_there(experiment):
    summary = summarize(experiment().plan)
    assert summary.references == {}
    assert "no network" not in long_csv(summary) + markdown(summary) + latex(summary)


def test_rows_whose_references_differ_are_of_other_photos(small):
    small.sign(small.run("ssd_voc", "cutmix"), references={NAME: {"mAP": 33.0}})
    with pytest.raises(UserError, match="they differ in references"):
        summarize(small.plan)


@pytest.mark.parametrize(
    ("references", "message"),
    [
        ({NAME: {"AP": 3.0}}, "is not a metric of ssd_voc"),
        ({NAME: {"mAP": 130.0}}, r"mAP is 130\.0, not a finite number within 0 and 100"),
        ({NAME: 3}, "is 3, not an object"),
        ([], r"references is \[\], not an object"),
    ],
)
def test_a_damaged_reference_is_refused(small, references, message):
    path = Path(small.run("ssd_voc", "cutmix").record)
    write_record_file(path.parent, json.loads(path.read_text()) | {"references": references})
    with pytest.raises(UserError, match=message):
        summarize(small.plan)


def test_regularizers_travel_with_the_weights(small):
    """Rows that are fine-tuned with their own share a column."""
    for backbone, row in (("baseline", {}), ("cutmix", {"cutmix": {"alpha": 1.0}})):
        run = small.run("ssd_voc", backbone)
        small.edit(run, protocol={"regularizers": row})
    assert ("regularizers", "none (baseline) / cutmix alpha 1.0 (cutmix)") in summarize(small.plan).protocols["ssd_voc"]
