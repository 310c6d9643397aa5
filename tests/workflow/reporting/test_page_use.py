"""The page in the hands of its readers, in a real browser: rows and metrics hidden and sorted, links, downloads from a
page that was mailed alone, without scripts, on a phone, by keyboard and by a checker of accessibility. AXE=FILE (an
axe.min.js) asks axe-core too."""

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.workflow.reporting import chromium
from tests.workflow.reporting.test_browser import ROWS, complete, page

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(chromium.executable() is None, reason="no Chromium is installed"),
]
AUDIT = Path(__file__).with_name("audit.js").read_text(encoding="utf-8")
AXE = os.environ.get("AXE", "")
TABLE = """(() => {
  const table = document.getElementById("table"), seen = (cells) => [...cells].filter((cell) => cell.offsetWidth > 0);
  return [
    seen(table.tHead.rows[0].cells).map((head) => head.firstChild.textContent.trim() + " " + head.colSpan),
    seen(table.tHead.rows[1].cells).map((head) => head.innerText.split("\\n")[0]),
    seen(table.tBodies[0].rows).map((row) => row.cells[0].innerText.split("\\n")[0]),
  ];
})()"""
BOX = """[...document.querySelectorAll("#tools label")].find((label) => label.innerText.trim() === {}).click()"""
BUTTON = """[...document.querySelectorAll("#table button")].find((button) => button.innerText.trim() === {}).click()"""


@pytest.fixture
def tab(tmp_path):
    """A browser."""
    with chromium.browser(tmp_path / "profile") as opened:
        yield opened


@pytest.fixture
def small(experiment):
    """A finished experiment of three rows."""
    return complete(
        experiment({row: ROWS[row] for row in ("baseline", "cutout", "cutmix")}, tasks=("ssd_voc", "nic_coco"))
    )


def value(tab, script):
    """What a script gives in the page."""
    result = tab.call("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
    assert "exceptionDetails" not in result, result
    return result["result"].get("value")


def test_rows_and_metrics_are_hidden_and_sorted(small, tab):
    tab.open(page(small, {}))
    value(tab, "document.querySelector('#tools details').open = true")
    tasks, metrics, rows = value(tab, TABLE)
    assert tasks == ["backbone 1", "pretrain 1", "ssd_voc 2", "nic_coco 5"]
    assert rows == ["baseline", "cutout", "cutmix"]
    for name in ("cutout", "mAP ↑", "top1_error ↓"):
        value(tab, BOX.format(json.dumps(name)))
    left = [metric for metric in metrics if metric not in ("mAP ↑", "top1_error ↓")]
    assert value(tab, TABLE) == [["backbone 1", "ssd_voc 1", "nic_coco 5"], left, ["baseline", "cutmix"]]
    assert value(tab, "document.querySelector('#tools summary').innerText") == "Rows and metrics (3 hidden)"
    value(tab, "location.hash = '#cell:cutout:ssd_voc:mAP'")
    tab.receive_until(lambda: value(tab, "document.querySelectorAll('#table .trail[open]').length === 1"))
    assert value(tab, TABLE) == [["backbone 1", "ssd_voc 2", "nic_coco 5"], ["mAP ↑", *left], rows], (
        "what is linked is shown"
    )
    value(tab, "document.querySelector('#tools button').click()")
    assert value(tab, TABLE) == [tasks, metrics, rows]

    numbers = {
        row: value(tab, f"Number(document.getElementById('cell:{row}:nic_coco:CIDEr').dataset.value)") for row in rows
    }
    best = sorted(rows, key=lambda row: -numbers[row])
    for order, state in ((best, "descending"), (best[::-1], "ascending"), (rows, None)):
        value(tab, BUTTON.format(json.dumps("CIDEr ↑")))
        assert value(tab, TABLE)[2] == order
        heads = value(tab, "[...document.querySelectorAll('[aria-sort]')].map((head) => head.ariaSort)")
        assert heads == ([state] if state else [])
    assert not tab.said


def test_a_page_that_was_mailed_alone_gives_its_files_and_is_a_table_without_scripts(small, tab, tmp_path):
    file = page(small, {})
    alone, got = tmp_path / "alone", tmp_path / "got"
    alone.mkdir()
    shutil.copy(file, alone)
    tab.open(alone / file.name)
    tab.call("Page.setDownloadBehavior", behavior="allow", downloadPath=str(got))
    value(tab, "document.querySelectorAll('a[download]').forEach((link) => link.click())")
    names = {"transfer.csv", "transfer.tex", "transfer.json", "forest.pdf", "scatter.pdf", "records.zip"}
    tab.receive_until(lambda: got.is_dir() and {each.name for each in got.iterdir()} == names)
    for name in names:
        assert (got / name).read_bytes() == (file.parent / name).read_bytes()
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    look = tab.open(file)
    assert not value(tab, "document.querySelectorAll('#tools *, #table button').length")
    assert value(tab, TABLE)[2] == ["baseline", "cutout", "cutmix"]
    assert look["trail"]


def test_the_first_screen_of_a_phone_has_the_answer(small, tab):
    tab.open(page(small, {}), chromium.PHONE)
    ends = "[...document.querySelectorAll('.answer')].map((line) => line.getBoundingClientRect().bottom)"
    assert max(value(tab, ends)) < chromium.PHONE[1] / 2
    forest = value(tab, "document.querySelector('.narrow-screen svg').getBoundingClientRect().top")
    assert forest < chromium.PHONE[1] - 200


@pytest.mark.parametrize(
    ("size", "dark"), [(chromium.DESKTOP, False), (chromium.DESKTOP, True), (chromium.PHONE, False)]
)
def test_nobody_is_left_out(small, tab, size, dark):
    tab.open(page(small, {}), size, dark)
    value(tab, "document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    assert value(tab, AUDIT) == []
    if AXE:
        value(tab, Path(AXE).read_text(encoding="utf-8") + "; 0")
        found = value(tab, "axe.run().then(({ violations }) => violations.map(({ id, impact }) => `${impact} ${id}`))")
        assert found == []


FAULTS = {
    '<p style="color: #999">x</p>': "contrast 2.",
    '<p style="font-size: 8px">x</p>': "letters of 8 px",
    '<a href="#answer"></a>': "no name",
    "<h4>x</h4>": "a level of headings is left out",
    "<table><tr><th>x</th></tr></table>": "a head without a scope",
    "<table><tr><td>x</td></tr></table>": "a row without a head",
    '<div style="overflow-x: auto; width: 3rem"><p style="width: 9rem">x</p></div>': "scrolls without a key",
    '<a href="#answer" style="outline: 0">x</a>': "its focus is not seen",
}


def test_the_checker_notices_faults(experiment, tab):
    tab.open(page(complete(experiment(tasks=("ssd_voc",))), {}))
    for bad, said in FAULTS.items():
        value(tab, f"document.querySelector('main').insertAdjacentHTML('beforeend', {json.dumps(bad)})")
        (found,) = value(tab, AUDIT)
        assert found.startswith(said)
        value(tab, "document.querySelector('main').lastElementChild.remove()")
    assert value(tab, AUDIT) == []
