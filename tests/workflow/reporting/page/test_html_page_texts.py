"""The page's sentences: what stands in backticks is code, and each figure has its words."""

import base64
import io
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from tests.workflow.reporting.page.test_html_page import page
from workflow import registry
from workflow.reporting.page.html_page import WEIGHTY, code, data_url, html
from workflow.reporting.page.sections import words
from workflow.reporting.summary import summarize

TASKS_FIGURES = {(figure.name, task.folder) for task in registry.tasks().values() for figure in task.figures}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("set `workers`, or `a b`.", "set <code>workers</code>, or <code>a b</code>."),
        ("``transfer.csv`` is `x`", "<code>transfer.csv</code> is <code>x</code>"),
        ("`a<b>&c` <i>", "<code>a&lt;b&gt;&amp;c</code> &lt;i&gt;"),
        ("add `--force -- 'a b", "add `--force -- &#39;a b"),
        ("failed: `snakemake --unl…", "failed: <code>snakemake --unl…</code>"),
        ("it`s, ``, ` and \u202e", "it`s, ``, ` and \\u202e"),
        ("`one` and `tw…", "<code>one</code> and <code>tw…</code>"),
    ],
)
def test_what_stands_in_backticks_is_shown_as_code(text, shown):
    assert code(text) == shown


def test_the_runs_say_how_long_they_waited_for_data(experiment):
    small = experiment()
    small.edit(small.run("nic_coco", "cutmix"), provenance={"data_wait": 0.31})
    section = page(small)[0].partition("<p>Each run with its result")[2]
    assert "<td>31 %</td>" in section
    assert '<p class="notice">nic_coco: 1 of 2 runs waited for data' in section
    assert "It loads its own: set <code>workers</code>, if" in section


def test_no_text_of_the_project_stands_with_its_backticks(experiment):
    small = experiment({"baseline": {}, "cutmix": {}, "`data`": {}})
    small.fail(
        small.run("ssd_voc", "cutmix"), "UserError: a: set `bn`, or run `python -m detection import` on the " * 3
    )
    small.unscored(small.run("pretrain", "cutmix"), "not scored: `fc` has 3 classes")
    small.edit(small.run("nic_coco", "cutmix"), provenance={"data_wait": 0.31})
    for row in small.plan.backbones:
        small.edit(small.run("nic_coco", row), protocol={"split": "of `val`"})
    summary = replace(summarize(small.plan), notices=["a `notice`"], remarks=["a `remark`"])
    missing = {"gallery": "add `--force`", "captions_nic_coco": "add `--force`", "detections_ssd_voc": "add `--force`"}
    pages = html(summary, small.folder, {}, missing, [], {})
    for name in ("transfer.html", "captions_nic_coco.html"):
        text = unescape(pages[name].partition("</style>")[2])
        assert "`" not in re.sub("`data`", "", text), "names are data, and stand as they are"
        assert "<code>--force</code>" in text
    for said in ("bn", "fc", "val", "notice", "remark"):
        assert f"<code>{said}</code>" in pages["transfer.html"]
    assert 'scope="row">`data`' in pages["transfer.html"]


def test_a_large_png_is_the_same_picture_in_fewer_bytes():
    pixels = np.random.default_rng(0).integers(0, 255, (160, 160, 4), dtype=np.uint8)
    pixels[..., 3] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="png")
    kind, _, content = data_url(buffer.getvalue()).partition(";base64,")
    assert (kind, len(buffer.getvalue()) > WEIGHTY) == ("data:image/webp", True)
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert (np.asarray(image.convert("RGB")) == pixels[..., :3]).all()


def test_no_figure_is_without_words_of_how_to_read_it():
    names = [(name,) for name in ("curves", "per_class", "activations", "gallery", "differences")]
    for name in [*names, *TASKS_FIGURES]:
        assert 80 < len(words(*name)) < 700
        assert not re.search(r"[*`{]", words(*name)), "the page shows it as it is"


def test_captions_say_whose_seed_is_shown_and_what_stands_at_a_number():
    for name in [("activations",), *TASKS_FIGURES]:
        assert re.search(
            r"Of\s+each\s+backbone\s+the (run of the first seeds|first pretraining seed) is shown", words(*name)
        )
    for word in ("±", "95 % interval", "bootstrap", "better", "worse", "undecided", "Holm", "single seed", "few seeds"):
        assert word in words("transfer")
