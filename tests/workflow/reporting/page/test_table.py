"""The transfer table of the page: three lines a cell, a link of its own for each row and cell, and a script that the
page's policy knows."""

import base64
import hashlib
import re
from dataclasses import replace

from tests.workflow.reporting.page.test_html_page import Links, Texts, cell_of, page
from workflow.reporting.page.html_page import TEMPLATES, html, place
from workflow.reporting.summary import summarize


def decided(experiment, **rows):
    """The cells of SSD's mAP on a page, by row: what is changed in each is given."""
    small = experiment({row: {} for row in ("baseline", *rows)}, tasks=("ssd_voc",))
    summary = summarize(small.plan)
    for row, changes in rows.items():
        key = (row, "ssd_voc", "mAP")
        summary.cells[key] = replace(summary.cells[key], **changes)
    text = html(summary, small.folder, {}, {}, [], {})["transfer.html"]
    return {row: cell_of(text, row, "mAP") for row in rows}


LIMITS = {"delta": 0.92, "low": -0.41, "high": 2.26, "covers": "seeds and test images"}


def test_a_change_stands_with_its_interval_and_its_verdict(experiment):
    cell = decided(experiment, cutmix={**LIMITS, "verdict": "undecided"})["cutmix"]
    assert "(+0.9) [−0.4, +2.3] undecided" in " ".join(Texts(cell).found)
    assert "95 % interval of the change against baseline, over seeds and test images" in cell


def test_a_verdict_is_a_word_and_not_only_a_colour(experiment):
    one = {**LIMITS, "verdict": "one pretraining"}
    words = {"up": "better", "down": "worse", "once": "one pretraining", "single": "single seed"}
    cells = decided(
        experiment, **{row: {"verdict": word} for row, word in words.items()}, held=one, none={"verdict": ""}
    )
    for row, word in words.items():
        assert f">{word}</span>" in cells[row]
    assert "<small>single seed, no interval</small>" in cells["single"], "it opens what that means"
    assert "<small>one pretraining, interval of its transfers only: 95 % interval of the change" in cells["held"]
    assert "over the transfers of one pretraining and test images" in cells["held"]
    assert 'class="verdict one-pretraining"' in cells["once"]
    assert 'class="verdict' not in cells["none"]
    assert ".verdict.one-pretraining" in (TEMPLATES / "style.css").read_text()


def test_the_baseline_has_no_change_against_itself(experiment):
    text, _ = page(experiment())
    assert 'class="change"' not in cell_of(text, "baseline", "mAP")
    assert 'class="change"' in cell_of(text, "cutmix", "mAP")
    assert " ".join(Texts(cell_of(text, "baseline", "mAP").partition("</details>")[2]).found) == "paper 76.7"
    assert "paper 77.6 (+0.9)" in cell_of(text, "cutmix", "mAP")


def lines(cell):
    """The lines of a cell that is closed."""
    first = cell.partition("<summary")[2].partition("</summary>")[0]
    rest = cell.partition("</details>")[2].split('<span class="line">')[1:]
    return [" ".join(Texts(part).found) for part in (first, *rest)]


def test_a_cell_has_three_lines_and_the_rest_opens(experiment):
    """With an interval, a verdict, missing seeds, another best epoch and the paper's number: all that there is."""
    missing = {"missing": "failed: ValueError: bad luck (p1s0)", "seeds": ("p0",)}
    cell = decided(experiment, cutmix={**LIMITS, **missing, "mean": 26.78, "verdict": "undecided"})["cutmix"]
    assert lines(cell) == [
        "26.8",
        "(+0.9) [−0.4, +2.3]",
        "undecided of p0 failed: ValueError: bad luck (p1s0) paper 77.6 (+0.9)",
    ]
    opened = " ".join(Texts(cell.partition("</summary>")[2].partition("</details>")[0]).found)
    assert "undecided, change of p0 only: 95 % interval of the change against baseline, over seeds and" in opened
    assert "paper 77.6: CutMix, ICCV 2019, Table 10" in opened


def test_the_best_epoch_stands_next_to_the_last_where_it_is_another(experiment):
    small = experiment(tasks=("ssd_voc",))
    last = summarize(small.plan).cells["baseline", "pretrain", "top1_error"].mean
    small.edit(small.run("pretrain", "baseline"), best={"top1_error": last})
    text = page(small)[0]
    firsts = [cell_of(text, row, "top1_error").partition("</summary>")[0] for row in ("baseline", "cutmix")]
    assert [bool(re.search(r"best [\d.]+</small>", first)) for first in firsts] == [False, True]


def test_n_is_said_where_it_is_one(experiment):
    small = experiment(seeds=(2, 3), tasks=("ssd_voc", "nic_coco"))
    small.remove(small.run("ssd_voc", "cutmix", pretrain=1, transfer=2))
    text = page(small)[0]
    head = text.partition('<table id="table"')[2].partition("</thead>")[0]
    assert re.findall(r"n = \d+", head) == ["n = 2", *["n = 6"] * 5], "not in those of SSD"
    assert "n = 6</small></summary>" in cell_of(text, "baseline", "mAP")
    assert "n = 5</small></summary>" in cell_of(text, "cutmix", "mAP")
    assert "n = " not in cell_of(text, "cutmix", "CIDEr")
    text = page(experiment(tasks=("ssd_voc",)))[0]
    assert "the number of runs behind each number, is 1." in text
    assert "n = " not in text.partition('<table id="table"')[2].partition("</table>")[0]


def test_each_row_and_cell_has_a_link_of_its_own(experiment):
    text, _ = page(experiment({"baseline": {}, "a b/<ü>": {}}, tasks=("ssd_voc",)))
    assert place("cell", "cutmix", "ssd_voc", "mAP") == "cell:cutmix:ssd_voc:mAP"
    assert place("a:b", "c") != place("a", "b:c")
    table = text.partition('<table id="table"')[2].partition("</table>")[0]
    ids = set(re.findall(r'<(?:td|tr) id="([^"]+)"', table))
    assert len(ids) == table.count("<td") + table.count("<tr") - 2, "all but the head's"
    assert ids == {address[1:] for address in Links(table).addresses if re.match("#(cell|row)", address)}


def test_the_script_is_the_one_that_the_policy_names(experiment):
    text, _ = page(experiment(tasks=("ssd_voc",)))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not re.search(r"fetch|XMLHttp|import|eval|Function|innerHTML|https?:", script)
    assert not re.search(r"<[^>]+ on\w+=", text), "no script in an attribute"
