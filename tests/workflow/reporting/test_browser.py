"""The page in a real browser: everything is drawn, nothing is asked for, on light, dark and a phone."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from tests.workflow.reporting import chromium
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import hashed, read_json, write_json
from workflow.reporting.page.downloads import downloads
from workflow.reporting.page.html_page import html
from workflow.reporting.page.sections import sections
from workflow.reporting.summary import summarize
from workflow.training import per_image

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.executable() is None, reason="no Chromium is installed"),
]
ROWS = {
    "baseline": {},
    "mixup": {"regularizers": {"mixup": {"alpha": 1.0}}},
    "cutout": {"regularizers": {"cutout": {"size": 24}}},
    "cutmix": {"regularizers": {"cutmix": {"alpha": 1.0}}},
}


def figures(folder, voc, coco):
    """All that other rules draw, by their own code, of runs that find everything and say one thing."""
    from captioning.qualitative import examples
    from detection.visualize import SIDE, Thing, draw, scenes
    from workflow.data.coco import read

    check, said = DatasetInfo.read(coco.check), folder / "said"
    ids = [image.image_id for image in read(check, "test")]
    write_json(said / "predictions.json", [{"image_id": i, "caption": "a red circle"} for i in ids])
    write_json(said / "metrics.json", {})
    per_image.write(said / "per_image.npz", ids, CIDEr=np.arange(len(ids), dtype=float))
    found = scenes(DatasetInfo.read(voc.check))[0]
    seen = [[Thing(one.name, one.box, True, 0.9) for one in scene.truth] for scene in found]
    picture = draw(found, dict.fromkeys(ROWS, seen), SIDE, {})
    drawn = dict.fromkeys(("detections_ssd_voc", "detections_faster_rcnn_voc", "activations", "gallery"), picture)
    return drawn | {"captions_nic_coco": json.dumps(hashed(examples(dict.fromkeys(ROWS, said), check))).encode()}


def complete(small):
    """`small` with all that a finished experiment has beside its numbers: evaluations, AP of each class, evidence."""
    for run in small.plan.runs:
        each = [{"iteration": step, registry.tasks()[run.task].headline.name: 20.0 + step / 10} for step in (100, 200)]
        small.edit(run, history={"evaluations": each})
        record, beside = read_json(run.record), Path(run.record).with_name("per_image.npz")
        if run.task.endswith("voc"):
            small.sign(run, per_class={"pottedplant": 20.0 + len(run.backbone), "dog": 40.0})
        if run.task == "nic_coco":
            cider = record["metrics"]["CIDEr"]
            per_image.write(beside, np.arange(40), CIDEr=np.linspace(-5, 5, 40) + cider)
            small.sign(run, metrics={"CIDEr": cider})
    return small


def lines(small):
    """Task to the names of its runs."""
    tasks = ("pretrain", *small.plan.tasks)
    outcomes = summarize(small.plan).outcomes
    return {task: [f"{o.backbone} {o.seed_name}" for o in outcomes if o.task == task] for task in tasks}


def page(small, drawn):
    """The page of `small` as a file."""
    folder = small.folder / "results/small/report"
    folder.mkdir(parents=True)
    summary = summarize(small.plan)
    files = downloads(summary)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    pages = html(summary, folder, drawn, {}, [], files)
    for name, text in pages.items():
        (folder / name).write_text(text)
    return folder / "transfer.html"


THREE = ("ssd_voc", "faster_rcnn_voc", "nic_coco")


@pytest.mark.parametrize(
    ("seeds", "tasks"), [((1, 1), (*THREE, "faster_rcnn_coco", "wsol_imagenet", "wsol_cub")), ((3, 5), THREE)]
)
def test_everything_is_drawn_and_nothing_is_asked_for(experiment, voc, coco, tmp_path, capsys, seeds, tasks):
    small, drawn = complete(experiment(ROWS, seeds=seeds, tasks=tasks)), figures(tmp_path, voc, coco)
    file, name = page(small, drawn), f"small-{seeds[0] * seeds[1]}-runs"
    ids = {section.id for section in sections(summarize(small.plan), drawn.keys())}
    with capsys.disabled():
        chromium.check(file, tmp_path / "profile", name, ids, lines(small))


@pytest.fixture
def refused(experiment, tmp_path, monkeypatch):
    """Call it with what spoils the text of a page (and its experiment): the page is refused, and so it is said."""
    monkeypatch.setattr(chromium, "SCREENSHOTS", tmp_path / "screenshots")

    def call(said, spoil, small=None):
        small = small or complete(experiment())
        file = page(small, {})
        file.write_text(spoil(file.read_text()))
        with pytest.raises(AssertionError, match=said):
            chromium.check(file, tmp_path / "profile", "bad", set(), lines(small))

    return call


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('<img src="data:image/png;base64,AAAA" alt="">', "an image is not drawn"),
        ('<img src="http://example.com/x.png" alt="">', "an image is not drawn"),
        ('<p style="width: 200rem; max-width: none">x</p>', "desktop: the page itself scrolls sideways"),
        ('<p style="width: 30rem; max-width: none">x</p>', "phone: the page itself scrolls sideways"),
        ('<p class="sideways">x</p><div class="box"></div>', "what scrolls, or does not, says otherwise"),
        ('<div class="box"><p style="width: 99rem; max-width: none">x</p></div>', "what scrolls, or does not"),
        ('<style media="print">th { white-space: nowrap; min-width: 9rem }</style>', "printed, a table or a picture"),
        ('<style media="print">.panels svg { width: 99rem }</style>', "printed, a table or a picture"),
        ('<style media="print">.sideways { display: block !important }</style>', "paper does not scroll"),
        ("<svg></svg>", "a drawing is empty"),
        ("<table></table>", "a table has no rows"),
    ],
)
def test_what_is_wrong_is_noticed(refused, bad, said):
    refused(said, lambda text: text.replace("</main>", f"{bad}</main>"))


def test_a_run_without_a_line_is_noticed(refused):
    refused("ssd_voc: a run has no line", lambda text: text.replace("Learning curves of ssd_voc", "Curves"))
    hidden = '<g style="display: none"><title>baseline p0s0</title>'
    refused("a run has no line", lambda text: re.sub(r"<g[^>]*>\s*<title>baseline p0s0</title>", hidden, text, count=1))


def test_a_missing_verdict_is_noticed(refused):
    refused("there is no verdict", lambda text: text.replace('class="verdict', 'class="word'))


def test_a_missing_heat_table_is_noticed(refused):
    refused("there is no AP of each class", lambda text: text.replace('class="rows heat"', 'class="rows"'))


def test_a_request_is_noticed_without_the_page_s_own_policy(refused):
    link = '<link rel="stylesheet" href="http://example.com/x.css"></main>'
    refused(r"\S", lambda text: text.replace("</main>", link))

    def bare(text):
        return text.replace("</main>", link).replace("Content-Security-Policy", "nothing")

    refused("the page asks for something", bare)
