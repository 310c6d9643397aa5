"""The command line: at any time, from whatever records exist, on the real plan of the demo."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.config import load
from workflow.plan import plan
from workflow.reporting import report

DEMO = Path(report.__file__).parents[2] / "config/demo.yaml"


@pytest.fixture
def main(monkeypatch, tmp_path, capsys):
    """Runs the command line in an empty folder and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["report", *map(str, arguments)])
        report.main()
        return capsys.readouterr().out

    return call


def test_a_table_can_be_made_before_anything_has_run(main):
    text = main("--config", DEMO)
    assert "\n16 of 16 runs are pending\n" in text
    assert text.rstrip().endswith("Page: results/demo/report/transfer.html")
    written = sorted(path.name for path in Path("results/demo/report").iterdir())
    curves = [f"curves_{task}.svg" for task in ("faster_rcnn_voc", "nic_coco", "pretrain", "ssd_voc")]
    assert written == [*curves, "per_class.html", *(f"transfer.{kind}" for kind in ("csv", "html", "md", "tex"))]


def test_the_demo_s_records_fill_its_table(main, finish):
    config = load(DEMO)
    for run in plan(config).runs:
        finish(run, run.run["recipe"])
    text = main("--config", json.dumps(config), "--out", "elsewhere")
    assert "pending" not in text
    assert "too little to tell a difference between its rows from noise" in " ".join(text.split())
    assert 'href="../results/demo/ssd_voc/cutmix/p0s0/metrics.json"' in Path("elsewhere/transfer.html").read_text()
    assert not Path("results/demo/report").exists()


def test_the_page_has_the_gallery_if_that_is_drawn(main):
    picture = plan(load(DEMO)).figures["gallery"]
    main("--config", DEMO, "--out", "without")
    Path(picture).parent.mkdir(parents=True)
    Path(picture).write_bytes(b"\x89PNG")
    main("--config", DEMO, "--out", "with")
    pages = [Path(name, "transfer.html").read_text() for name in ("without", "with")]
    assert ["data:image/png;base64,iVBORw==" in page for page in pages] == [False, True]


def test_the_same_records_give_the_same_bytes(main, finish):
    for run in plan(load(DEMO)).runs[::2]:
        finish(run, run.run["recipe"])
    main("--config", DEMO, "--out", "one")
    main("--config", DEMO, "--out", "two")
    for kind in ("csv", "md", "tex", "html"):
        assert Path(f"one/transfer.{kind}").read_bytes() == Path(f"two/transfer.{kind}").read_bytes()


def test_two_recipes_end_it_with_one_line_and_no_table(main, finish, capsys):
    for run in plan(load(DEMO)).runs:
        other = {"lr": 5.0} if (run.task, run.backbone) == ("ssd_voc", "cutmix") else {}
        finish(run, run.run["recipe"] | other)
    with pytest.raises(SystemExit) as stop:
        main("--config", DEMO)
    printed = capsys.readouterr()
    assert stop.value.code == 1
    assert printed.out == ""
    assert printed.err.startswith("error: ssd_voc: the records of baseline p0s0 and cutmix p0s0")
    assert "and 5.0" in printed.err
    assert printed.err.count("\n") == 1
    assert not Path("results/demo/report").exists()


def test_it_starts_without_torch():
    heavy = {"torch", "pandas", "mmengine", "matplotlib", "pretrain"}
    code = f"import sys, workflow.reporting.report; print({heavy} & set(sys.modules))"
    call = [sys.executable, "-c", code]
    found = subprocess.run(call, cwd=DEMO.parents[1], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
