"""transfer.html: self-contained, escaped, and each number opens its trail."""

import base64
import json
import random
import re
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

from workflow.reporting.page.html_page import html
from workflow.reporting.page.sections import words
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


def page(small, **drawn):
    folder = small.folder / "results/small/report"
    return html(summarize(small.plan), folder, drawn, {}, [], {})["transfer.html"], folder


def cell_of(text, backbone, metric):
    """The HTML of the transfer table's cell of a row: the first column of the first task that has the metric."""
    table = text.partition('<table id="table"')[2].partition("</table>")[0]
    heads = re.findall(r"<th scope=\"col\"[^>]*>(\S+) [↓↑]<", table)
    row = table.partition(f'scope="row">{backbone}')[2].partition("</tr>")[0]
    return row.split("<td")[1:][heads.index(metric)]


def imagenet_table(small):
    """The texts of the ImageNet table's rows, by backbone: what it is, epochs, last epoch, best epoch, paper."""
    body = page(small)[0].partition('<table id="imagenet"')[2].partition("<tbody>")[2].partition("</table>")[0]
    body = re.sub(r"</summary>.*?</details>", " TRAIL", body, flags=re.DOTALL)
    rows = [
        [" ".join(Texts(cell).found) for cell in re.split("<t[hd]", row)[1:]] for row in re.split("<tr[ >]", body)[1:]
    ]
    return {name: texts for name, *texts in rows}


def test_no_address_leaves_the_machine(experiment):
    text, _ = page(experiment())
    links = Links(text)
    assert links.addresses
    assert not [a for a in links.addresses if ("//" in a or a.startswith("http")) and not a.startswith("data:")]
    assert not {"iframe", "object", "embed", "img", "form"} & set(links.tags)
    assert "@import" not in text
    assert set(re.findall(r"url\((.)", text)) <= {"#"}, "clipping paths of the drawings"
    assert "default-src 'none'" in text


def test_each_number_opens_its_trail(experiment):
    small = experiment(seeds=(2, 1))
    text, folder = page(small)
    targets = {(folder / unquote(a)).resolve() for a in Links(text).addresses if a.endswith("metrics.json")}
    assert targets == {Path(run.record).resolve() for run in small.plan.runs}
    cell = summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"]
    opened = cell_of(text, "cutmix", "mAP").partition("</summary>")[2].partition("</details>")[0]
    for one, value in zip(cell.runs, cell.values, strict=True):
        assert f"{one.seed_name}: <strong>{value:.1f}</strong>" in opened
        for file in ("metrics.json", "config.json"):
            assert f'href="../ssd_voc/cutmix/{one.seed_name}/{file}"' in opened
        assert f'href="#run-ssd_voc-cutmix-{one.seed_name}"' in opened
        assert f'id="run-ssd_voc-cutmix-{one.seed_name}"' in text
        assert one.record["provenance"]["backbone"][:10] in opened


def test_addresses_within_the_page_lead_somewhere(experiment):
    text, _ = page(experiment({"baseline": {}, "a b/<ü>": {}}))
    within = {a[1:] for a in Links(text).addresses if a.startswith("#")}
    ids = re.findall(r' id="([^"]+)"', text)
    assert within <= set(ids)
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(("tasks", "columns", "said"), [(3, 10, 1), (1, 3, 0)])
def test_a_wide_table_says_that_it_scrolls(experiment, tasks, columns, said):
    small = experiment(tasks=("ssd_voc", "faster_rcnn_voc", "nic_coco")[:tasks])
    assert len(summarize(small.plan).columns) == columns
    before = page(small)[0].partition("</style>")[2].partition('<table id="table"')[0]
    assert before.count('<p class="sideways">The table scrolls sideways →</p>') == said


def test_data_are_escaped(experiment):
    name = "<script>alert(1)<script>"
    small = experiment({"baseline": {}, name: {"pretrain": {"epochs": '"><b>'}}})
    small.fail(small.run("nic_coco", name), "<img src=x onerror=alert(1)>")
    small.edit(small.run("ssd_voc", name), provenance={"device": "<em>"})
    for row in ("baseline", name):
        small.edit(small.run("ssd_voc", row), protocol={"<i>": "<u>"})
    text, _ = page(small)
    assert Links(text).tags.count("script") == 1
    assert not {"img", "b", "i", "u", "em"} & set(Links(text).tags)
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
    assert table.count(">failed: ValueError: bad luck</span>") == 2
    assert table.count(">pending</span>") == 5


def test_the_demo_s_notice_stands_above_the_table(experiment):
    small = experiment(data={"voc": {"synthetic": {}}})
    above = page(small)[0].partition("<table")[0]
    assert "With one seed and short schedules, its rows cannot" in above


def test_no_notice_on_real_data(experiment):
    assert 'class="notice"' not in page(experiment())[0]


def test_a_backbone_s_own_pretraining_stands_in_its_row(experiment):
    small = experiment({"baseline": {}, "dropblock": {"pretrain": {"epochs": 270}}})
    row = page(small)[0].partition('scope="row">dropblock')[2].partition("</th>")[0]
    assert "own pretraining: epochs 270" in row


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
        *(
            "33.00 ± 1.41 TRAIL (+2.00) few seeds",
            "9.00 ± 0.00 TRAIL (+0.00) few seeds",
        ),
        *("32.00 epoch 2, 3", "9.00 epoch 2, 3", "21.40 (−2.28)", "5.92 (−1.13)"),
    ]
    assert table["baseline"][:2] == ["no regularizer", "4"]
    assert table["baseline"][-2:] == ["23.68", "7.05"]


def test_the_imagenet_table_has_the_config_s_rows_alone_and_in_its_order(experiment):
    rows = {"label_smoothing": {"regularizers": {"label_smoothing": {"smoothing": 0.1}}}, "baseline": {}}
    table = imagenet_table(experiment(rows))
    assert list(table) == ["label_smoothing", "baseline"]
    assert table["label_smoothing"][-2:] == ["", ""], "the paper has no such row"


def test_the_imagenet_table_says_what_a_row_is_and_why_it_has_no_number(experiment):
    own = {"regularizers": {"dropblock": {"block_size": 7, "keep_prob": 0.9}}, "pretrain": {"epochs": 270}}
    rows = {"baseline": {}, "mine": {"checkpoint": "a<b>.pth"}, "scratch": {"init": "random"}, "dropblock": own}
    small = experiment(rows)
    reason = "not scored: its fc, which is kept, has 1000 outputs, and the data have 6 classes"
    for name, why in (("mine", reason), ("scratch", "not scored")):
        small.unscored(small.run("pretrain", name), why)
    small.fail(small.run("pretrain", "dropblock"), "ValueError: bad luck")
    table = imagenet_table(small)
    assert table["mine"] == ["imported: a<b>.pth", "", f"{reason} TRAIL", *[""] * 4]
    assert table["scratch"][:3] == ["random initialisation", "", "not scored TRAIL"]
    dropblock = "dropblock: block_size 7, keep_prob 0.9; own pretraining: epochs 270"
    assert table["dropblock"][:3] == [dropblock, "", "failed: ValueError: bad luck TRAIL"]
    assert table["dropblock"][-2:] == ["21.87 (−1.81)", "5.98 (−1.07)"]


def test_the_epochs_are_those_of_the_record(experiment):
    rows = {"baseline": {}, "dropblock": {"regularizers": {"dropblock": {}}, "pretrain": {"epochs": 270}}}
    assert [texts[1] for texts in imagenet_table(experiment(rows)).values()] == ["4", "270"]


def test_a_scored_backbone_that_was_imported_is_in_the_imagenet_table(experiment):
    small = experiment({"baseline": {}, "mine": {"checkpoint": "mine.pth"}})
    small.edit(small.run("pretrain", "mine"), metrics={"top1_error": 24.0}, history={"points": [], "evaluations": []})
    mine = imagenet_table(small)["mine"]
    assert mine[:2] == ["imported: mine.pth", ""]
    assert mine[2].startswith("24.00 TRAIL")


def test_the_gallery_is_a_part_of_the_page_and_only_if_there_is_one(experiment):
    small = experiment()
    assert "Regularizers at work" not in page(small)[0]
    text, _ = page(small, gallery=b"\x89PNG\xff\xef\xbe")
    links = Links(text)
    assert links.tags.count("img") == 1
    (source,) = [a for a in links.addresses if a.startswith("data:image")]
    assert base64.b64decode(source.removeprefix("data:image/png;base64,")) == b"\x89PNG\xff\xef\xbe"
    assert "img-src data:" in text
    assert not [a for a in links.addresses if "//" in a and a != source]


CAPTIONS = {
    "total": 9,
    "photos": [
        {
            "image_id": 7,
            "photo": "/9j/",
            "references": ["A <i>dog</i>.", "One dog."],
            "captions": [
                {"backbone": "baseline", "caption": "a cat", "CIDEr": 12.34},
                {"backbone": "cutmix", "caption": "a <b>dog", "CIDEr": 150.0},
            ],
        }
    ],
}


def test_captions_stand_beside_their_photo_as_text(experiment):
    small = experiment()
    pages = html(summarize(small.plan), small.folder, {"captions_nic_coco": json.dumps(CAPTIONS).encode()}, {}, [], {})
    for text in (pages["transfer.html"], pages["captions_nic_coco.html"]):
        card = text.partition('<article class="card">')[2].partition("</article>")[0]
        assert 'src="data:image/jpeg;base64,/9j/" alt="Test image 7"' in card
        words = " ".join(Texts(">" + card).found)
        assert "baseline a cat 12.3 cutmix a <b>dog 150.0 A <i>dog</i>. One dog." in words
        assert not {"b", "i"} & set(Links(card).tags)
    assert "captions_nic_coco.html" not in html(summarize(small.plan), small.folder, {}, {}, [], {})


def test_each_figure_has_its_section_its_words_and_a_place_in_the_contents(experiment):
    small = experiment()
    drawn = dict.fromkeys(("activations", "gallery", "detections_ssd_voc"), b"\x89PNG")
    with_figures, without = (page(small, **each)[0] for each in (drawn, {}))
    for name in ("activations", "gallery", "detections"):
        assert f'<h2 id="{name}">' in with_figures
        assert f'<a href="#{name}">' in with_figures
        assert f'id="{name}"' not in without
        section = with_figures.partition(f'<h2 id="{name}">')[2].partition("</section>")[0]
        assert " ".join(words(name, "detection" if name == "detections" else "workflow").split()) in " ".join(
            unescape(section).split()
        )
        assert re.search(r'<img src="data:image/png;base64,iVBORw==" alt="[^"]{40,}"', section)
    assert with_figures.count("<h3>ssd_voc</h3>") == 1
