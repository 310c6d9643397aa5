"""transfer.html: self-contained, escaped, and each number links to its record."""

import base64
import random
import re
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


class Texts(HTMLParser):
    """Collects the texts of a piece of a page that begins within a tag."""

    def __init__(self, piece):
        super().__init__()
        self.found = []
        self.feed("<td" + piece)

    def handle_data(self, data):
        self.found += data.split()


def page(small, picture=None):
    folder = small.folder / "results/small/report"
    return html(summarize(small.plan), folder, picture), folder


def imagenet_table(small):
    """The texts of the ImageNet table's rows, by backbone: what it is, epochs, last epoch, best epoch, paper."""
    body = page(small)[0].partition('<table id="imagenet"')[2].partition("<tbody>")[2].partition("</table>")[0]
    rows = [[" ".join(Texts(cell).found) for cell in re.split("<t[hd]", row)[1:]] for row in body.split("<tr>")[1:]]
    return {name: texts for name, *texts in rows}


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
    assert "too little to tell a difference between its rows from noise" in above


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


def test_the_imagenet_table_has_the_paper_s_numbers_beside(experiment):
    small = experiment(seeds=(2, 1))
    for p, (top1, top5) in enumerate([(30.0, 9.0), (32.0, 9.0)]):
        for row, more in (("baseline", 0), ("cutmix", 2)):
            best = {"epoch": p + 2, "top1_error": top1 + more - 1, "top5_error": top5}
            run = small.run("pretrain", row, pretrain=p)
            small.edit(run, metrics={"top1_error": top1 + more, "top5_error": top5}, best=best)
    table = imagenet_table(small)
    assert table["cutmix"] == [
        *("cutmix: alpha 1.0", "4"),
        *("33.00 ± 1.41 p0 32.00 p1 34.00 (+2.00) n = 2", "9.00 ± 0.00 p0 9.00 p1 9.00 (+0.00) n = 2"),
        *("32.00 epoch 2, 3", "9.00 epoch 2, 3", "21.40 (−2.28)", "5.92 (−1.13)"),
    ]
    assert table["baseline"][:2] == ["no regularizer", "4"]
    assert table["baseline"][-2:] == ["23.68 (+0.00)", "7.05 (+0.00)"]


def test_the_imagenet_table_has_the_config_s_rows_alone_and_in_its_order(experiment):
    rows = {"label_smoothing": {"regularizers": {"label_smoothing": {"smoothing": 0.1}}}, "baseline": {}}
    table = imagenet_table(experiment(rows))
    assert list(table) == ["label_smoothing", "baseline"]
    assert table["label_smoothing"][-2:] == ["", ""], "the paper has no such row"


def test_the_imagenet_table_says_what_a_row_is_and_why_it_has_no_number(experiment):
    own = {"regularizers": {"dropblock": {"block": 7, "keep": 0.9}}, "pretrain": {"epochs": 270}}
    rows = {"baseline": {}, "mine": {"checkpoint": "a<b>.pth"}, "scratch": {"init": "random"}, "dropblock": own}
    small = experiment(rows)
    reason = "not scored: its fc, which is kept, has 1000 classes, and the data have 6"
    for name, why in (("mine", reason), ("scratch", "not scored")):
        small.unscored(small.run("pretrain", name), why)
    small.fail(small.run("pretrain", "dropblock"), "ValueError: bad luck")
    table = imagenet_table(small)
    assert table["mine"] == ["brought: a<b>.pth", "", reason, *[""] * 4]
    assert table["scratch"][:3] == ["random initialisation", "", "not scored"]
    dropblock = "dropblock: block 7, keep 0.9; own pretraining: epochs 270"
    assert table["dropblock"][:3] == [dropblock, "", "failed: ValueError: bad luck"]
    assert table["dropblock"][-2:] == ["21.87 (−1.81)", "5.98 (−1.07)"]


def test_the_epochs_are_those_of_the_record(experiment):
    rows = {"baseline": {}, "dropblock": {"regularizers": {"dropblock": {}}, "pretrain": {"epochs": 270}}}
    assert [texts[1] for texts in imagenet_table(experiment(rows)).values()] == ["4", "270"]


def test_a_scored_backbone_that_was_brought_is_in_the_imagenet_table(experiment):
    small = experiment({"baseline": {}, "mine": {"checkpoint": "mine.pth"}})
    small.edit(small.run("pretrain", "mine"), metrics={"top1_error": 24.0}, history={"points": [], "evaluations": []})
    mine = imagenet_table(small)["mine"]
    assert mine[:2] == ["brought: mine.pth", ""]
    assert mine[2].startswith("24.00 (")


def test_the_gallery_is_a_part_of_the_page_and_only_if_there_is_one(experiment):
    small = experiment()
    assert "Regularizers at work" not in page(small)[0]
    text, _ = page(small, b"\xff\xef\xbe some PNG")
    links = Links(text)
    assert links.tags.count("img") == 1
    (source,) = [a for a in links.addresses if a.startswith("data:image")]
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == b"\xff\xef\xbe some PNG"
    assert "img-src data:" in text
    assert not [a for a in links.addresses if "//" in a and a != source]
