"""The transfer table of the page: three lines a cell, a link of its own for each row and cell, and a script that the
page's policy knows."""

import base64
import hashlib
import re
from dataclasses import replace

from tests.workflow.reporting.page.test_html_page import Links, Texts, cell_of, page
from workflow.reporting.page.html_page import html, place
from workflow.reporting.summary import summarize


def decided(small, **changes):
    """The page of `small` with the cell of cutmix's mAP changed."""
    summary = summarize(small.plan)
    key = ("cutmix", "ssd_voc", "mAP")
    summary.cells[key] = replace(summary.cells[key], **changes)
    return cell_of(html(summary, small.folder, {}, {}, [], {})["transfer.html"], "cutmix", "mAP")


def test_a_change_stands_with_its_interval_and_its_verdict(experiment):
    changes = {"delta": 0.92, "low": -0.41, "high": 2.26, "covers": "seeds and test images", "verdict": "undecided"}
    cell = decided(experiment(), **changes)
    texts = " ".join(Texts(cell).found)
    assert "(+0.9) [−0.4, +2.3] undecided" in texts
    assert "95 % interval of the change against baseline, over seeds and test images" in cell


def test_a_verdict_is_a_word_and_not_only_a_colour(experiment):
    small = experiment()
    for verdict in ("better", "worse", "one pretraining"):
        assert f">{verdict}</span>" in decided(small, verdict=verdict)
    single = decided(small, verdict="single seed")
    assert ">single seed</span>" in single
    assert "<small>single seed, no interval</small>" in single, "and it opens what that means"
    limits = {"low": -0.41, "high": 2.26, "covers": "seeds and test images"}
    cell = decided(small, verdict="one pretraining", **limits)
    assert "<small>one pretraining, interval of its transfers only: 95 % interval of the change" in cell
    assert "over the transfers of one pretraining and test images" in cell
    assert 'class="verdict' not in decided(small, verdict="")
    assert 'class="verdict one-pretraining"' in decided(small, verdict="one pretraining")
    assert ".verdict.one-pretraining" in page(small)[0]


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
    small = experiment(seeds=(2, 1))
    small.fail(small.run("ssd_voc", "cutmix", pretrain=1), "ValueError: bad luck")
    changes = {"delta": 0.92, "low": -0.41, "high": 2.26, "covers": "seeds", "verdict": "undecided", "seeds": ("p0",)}
    cell = decided(small, **changes)
    value = summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"].mean
    assert lines(cell) == [
        f"{value:.1f} n = 1",
        "(+0.9) [−0.4, +2.3]",
        "undecided of p0 failed: ValueError: bad luck (p1s0) paper 77.6 (+0.9)",
    ]
    opened = " ".join(Texts(cell.partition("</summary>")[2].partition("</details>")[0]).found)
    assert "undecided, change of p0 only: 95 % interval of the change against baseline, over seeds" in opened
    assert "paper 77.6: CutMix, ICCV 2019, Table 10" in opened


def test_the_best_epoch_stands_next_to_the_last_where_it_is_another(experiment):
    small = experiment()
    errors = [cell_of(page(small)[0], row, "top1_error") for row in ("baseline", "cutmix")]
    assert [re.search(r"best ([\d.]+)</small></summary>", cell) is not None for cell in errors] == [True, True]
    small.edit(
        small.run("pretrain", "baseline"), best={"top1_error": summarize(small.plan).classified[0].cells[0].mean}
    )
    assert "best" not in cell_of(page(small)[0], "baseline", "top1_error").partition("</summary>")[0]


def test_n_is_said_where_it_is_one(experiment):
    heads = [
        re.findall(r"n = \d+", part.partition("</thead>")[0])
        for part in (page(experiment(seeds=seeds))[0].partition('<table id="table"')[2] for seeds in ((1, 1), (2, 3)))
    ]
    assert heads[0] == [], "said above the table, of all"
    assert heads[1][0] == "n = 2"
    assert set(heads[1][1:]) == {"n = 6"}
    small = experiment(seeds=(2, 1))
    small.remove(small.run("ssd_voc", "cutmix", pretrain=1))
    text = page(small)[0]
    assert "n = 2</small></summary>" in cell_of(text, "baseline", "mAP")
    assert "n = 1</small></summary>" in cell_of(text, "cutmix", "mAP")
    assert "n = " not in cell_of(text, "cutmix", "CIDEr")
    assert "the number of runs behind each number, is 1." in page(experiment())[0]


def test_each_row_and_cell_has_a_link_of_its_own(experiment):
    text, _ = page(experiment({"baseline": {}, "a b/<ü>": {}}))
    assert place("cell", "cutmix", "ssd_voc", "mAP") == "cell:cutmix:ssd_voc:mAP"
    assert place("a:b", "c") != place("a", "b:c")
    table = text.partition('<table id="table"')[2].partition("</table>")[0]
    ids = set(re.findall(r'<(?:td|tr) id="([^"]+)"', table))
    assert len(ids) == table.count("<td") + table.count("<tr") - 2, "all but the head's"
    assert ids == {address[1:] for address in Links(table).addresses if re.match("#(cell|row)", address)}


def test_the_script_is_the_one_that_the_policy_names(experiment):
    text, _ = page(experiment())
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.S)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in text
    assert not re.search(r"fetch|XMLHttp|import|eval|Function|innerHTML|https?:", script)
    assert not re.search(r"<[^>]+ on\w+=", text), "no script in an attribute"
