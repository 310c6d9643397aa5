"""transfer.html: self-contained, escaped, and each number links to its record."""

import random
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from workflow.reporting.page import curve, duration, html
from workflow.reporting.summary import summarize


class Links(HTMLParser):
    """Collects every address and every tag of a page."""

    def __init__(self, text):
        super().__init__()
        self.addresses, self.tags = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.addresses += [value for key, value in attrs if key in ("href", "src", "srcset", "action", "data")]


def page(small):
    folder = small.folder / "results/small/report"
    return html(summarize(small.plan), folder), folder


def test_no_address_leaves_the_machine(experiment):
    text, _ = page(experiment())
    links = Links(text)
    assert links.addresses
    assert not [a for a in links.addresses if "//" in a or a.startswith("http")]
    assert not {"script", "iframe", "object", "embed", "img"} & set(links.tags)
    assert "@import" not in text
    assert "url(" not in text
    assert "default-src 'none'" in text


def test_each_number_links_to_its_record(experiment):
    small = experiment(seeds=(2, 1))
    text, folder = page(small)
    targets = {(folder / unquote(a)).resolve() for a in Links(text).addresses if a.endswith("metrics.json")}
    assert targets == {Path(run.record).resolve() for run in small.plan.runs}
    cell = summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"]
    for run, value in zip(cell.runs, cell.values, strict=True):
        assert f'{run.seed_name} <a href="../ssd_voc/cutmix/{run.seed_name}/metrics.json">{value:.1f}</a>' in text


def test_data_are_escaped(experiment):
    name = "<script>alert(1)<script>"
    small = experiment({"baseline": {}, name: {"pretrain": {"epochs": '"><b>'}}})
    small.fail(small.run("nic_coco", name), "<img src=x onerror=alert(1)>")
    small.edit(small.run("ssd_voc", name), protocol={"<i>": "<u>"}, provenance={"device": "<em>"})
    text, _ = page(small)
    assert not {"script", "img", "b", "i", "u", "em"} & set(Links(text).tags)
    assert "&lt;script&gt;" in text


def test_the_order_in_which_records_are_found_changes_nothing(experiment):
    small = experiment(seeds=(2, 2))
    before, _ = page(small)
    random.Random(0).shuffle(small.plan.runs)
    assert page(small)[0] == before


def test_an_empty_cell_shows_its_reason(experiment):
    small = experiment()
    small.fail(small.run("ssd_voc", "cutmix"), "ValueError: bad luck")
    small.remove(small.run("nic_coco", "cutmix"))
    table = page(small)[0].partition("</table>")[0]
    assert table.count("failed: ValueError: bad luck") == 2
    assert table.count(">pending<") == 5


def test_the_demo_s_notice_stands_above_the_table(experiment):
    small = experiment(data={"voc": {"synthetic": {}}})
    above = page(small)[0].partition("<table")[0]
    assert "far too short to compare regularizers" in above


def test_no_notice_on_real_data(experiment):
    assert 'class="notice"' not in page(experiment())[0]


def test_a_backbone_s_own_pretraining_stands_in_its_row(experiment):
    small = experiment({"baseline": {}, "dropblock": {"pretrain": {"epochs": 270}}})
    row = page(small)[0].partition('scope="row">dropblock')[2].partition("</th>")[0]
    assert "own pretraining: epochs 270" in row


def test_a_curve_falls_as_the_loss_does(experiment):
    outcome = summarize(experiment().plan).outcomes[0]
    drawn = curve(outcome)
    heights = [float(point.split(",")[1]) for point in drawn["points"].split()]
    assert heights == sorted(heights)  # SVG counts downwards
    assert drawn["words"] == "training loss 3 to 0.15 over 200 iterations"
    outcome.record["history"]["points"] = []
    assert curve(outcome) is None


@pytest.mark.parametrize(("seconds", "text"), [(9.6, "0:00:10"), (3725, "1:02:05")])
def test_durations(seconds, text):
    assert duration(seconds) == text
