"""The page in a real browser: everything is drawn, nothing is asked for, on light, dark and a phone."""

import json

import numpy as np
import pytest

from tests.workflow.reporting import chromium
from workflow.reporting.page import SECTIONS, html
from workflow.reporting.summary import summarize
from workflow.training.files import read_json, write_json

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.found() is None, reason="no Chromium is installed"),
]
ROWS = {
    "baseline": {},
    "mixup": {"regularizers": {"mixup": {"alpha": 1.0}}},
    "cutout": {"regularizers": {"cutout": {"size": 24}}},
    "cutmix": {"regularizers": {"cutmix": {"alpha": 1.0}}},
}


def figures(folder, voc, coco):
    """All that other rules draw, by their own code, of runs that find everything and say one thing."""
    from captioning.examples import examples
    from detection.figure import draw
    from detection.pictures import SIDE, Thing, scenes
    from workflow.data.coco import read
    from workflow.training import evidence

    check, said = read_json(coco.check), folder / "said"
    ids = [image.image_id for image in read(check, "test")]
    write_json(said / "predictions.json", [{"image_id": i, "caption": "a red circle"} for i in ids])
    evidence.write(said / "evidence.npz", ids, CIDEr=np.arange(len(ids), dtype=float))
    found = scenes(read_json(voc.check))[0]
    seen = [[Thing(one.name, one.box, True, 0.9) for one in scene.truth] for scene in found]
    picture = draw(found, dict.fromkeys(ROWS, seen), SIDE)
    drawn = dict.fromkeys(("detections_ssd_voc", "detections_faster_rcnn_voc", "activations", "gallery"), picture)
    return drawn | {"captions": json.dumps(examples(dict.fromkeys(ROWS, said), check)).encode()}


def page(small, drawn):
    """The page of `small` as a file."""
    folder = small.folder / "results/small/report"
    folder.mkdir(parents=True)
    pages = html(summarize(small.plan), folder, drawn, {}, [])
    for name, text in pages.items():
        (folder / name).write_text(text)
    return folder / "transfer.html"


@pytest.mark.parametrize("seeds", [(1, 1), (3, 5)])
def test_everything_is_drawn_and_nothing_is_asked_for(experiment, voc, coco, tmp_path, capsys, seeds):
    file = page(experiment(ROWS, seeds=seeds), figures(tmp_path, voc, coco))
    with capsys.disabled():
        chromium.check(file, tmp_path / "profile", f"small-{seeds[0] * seeds[1]}-runs", {*SECTIONS})


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        ('<img src="data:image/png;base64,AAAA" alt="">', "an image is not drawn"),
        ('<img src="http://example.com/x.png" alt="">', "an image is not drawn"),
        ('<p style="width: 200rem; max-width: none">x</p>', "desktop: the page itself scrolls sideways"),
        ('<p style="width: 30rem; max-width: none">x</p>', "phone: the page itself scrolls sideways"),
        ("<svg></svg>", "a drawing is empty"),
        ("<table></table>", "a table has no rows"),
    ],
)
def test_what_is_wrong_is_noticed(experiment, tmp_path, monkeypatch, bad, said):
    monkeypatch.setattr(chromium, "SCREENSHOTS", tmp_path / "screenshots")
    file = page(experiment(), {})
    file.write_text(file.read_text().replace("</main>", f"{bad}</main>"))
    with pytest.raises(AssertionError, match=said):
        chromium.check(file, tmp_path / "profile", "bad", set())


def test_a_request_is_noticed_without_the_page_s_own_policy(experiment, tmp_path, monkeypatch):
    monkeypatch.setattr(chromium, "SCREENSHOTS", tmp_path / "screenshots")
    file = page(experiment(), {})
    text = file.read_text().replace("</main>", '<link rel="stylesheet" href="http://example.com/x.css"></main>')
    file.write_text(text)
    with pytest.raises(AssertionError):
        chromium.check(file, tmp_path / "profile", "bad", set())
    file.write_text(text.replace("Content-Security-Policy", "nothing"))
    with pytest.raises(AssertionError, match="the page asks for something"):
        chromium.check(file, tmp_path / "profile", "bad", set())
