"""The command line: at any time, from whatever records exist, on the real plan of the demo."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from tests.demo import PROJECT, demo
from workflow.core.files import sha256, write_hashed, write_record_file
from workflow.planning.plan import plan
from workflow.reporting import report
from workflow.reporting.figures import comment, jpeg, records

CONFIG = demo("baseline", "cutmix", "scratch")
DEMO = json.dumps(CONFIG)


@pytest.fixture
def main(monkeypatch, tmp_path, capsys):
    """Runs the command line in an empty folder and returns what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["report", *map(str, arguments)])
        report.main()
        return capsys.readouterr().out

    return call


def finished(finish):
    """The demo's plan with a record of each run."""
    todo = plan(CONFIG)
    for run in todo.runs:
        finish(run)
    return todo


def leave_figure(todo, name, made_of):
    """Leave a figure that says what it was made of."""
    file, image = Path(todo.figures[name]), Image.new("RGB", (8, 8))
    file.parent.mkdir(parents=True, exist_ok=True)
    if file.suffix == ".json":
        write_hashed(file, {"records": made_of, "photos": []})
    elif file.suffix == ".jpg":
        file.write_bytes(jpeg(image, comment(made_of)))
    else:
        about = PngInfo()
        about.add_text("Comment", comment(made_of))
        image.save(file, pnginfo=about)


def shown(main, figure):
    """What the demo's page has of a figure."""
    section, _, task = figure.partition("_")
    main("--config", DEMO)
    page = Path("results/demo/report/transfer.html").read_text()
    text = page.partition(f'<h2 id="{section}">')[2].partition("</section>")[0]
    return text.partition(f"<h3>{task}")[2].partition("<h3>")[0] if task and "<h3>" in text else text


def test_a_table_can_be_made_before_anything_has_run(main):
    text = main("--config", DEMO)
    assert "\n12 of 12 runs are pending\n" in text
    assert text.rstrip().endswith("Page: results/demo/report/transfer.html")
    written = sorted(path.name for path in Path("results/demo/report").iterdir())
    curves = [f"curves_{task}.svg" for task in ("faster_rcnn_voc", "nic_coco", "pretrain", "ssd_voc")]
    assert written == [
        "captions_nic_coco.html",
        *curves,
        *("forest.pdf", "forest.svg", "per_class.html", "records.zip", "scatter.pdf", "scatter.svg"),
        *(f"transfer.{kind}" for kind in ("csv", "html", "json", "md", "tex")),
    ]


def test_the_demo_s_records_fill_its_table(main, finish):
    finished(finish)
    text = main("--config", DEMO, "--out", "elsewhere")
    assert "pending" not in text
    assert "With one seed and short schedules, its rows cannot" in " ".join(text.split())
    assert 'href="../results/demo/ssd_voc/cutmix/p0s0/metrics.json"' in Path("elsewhere/transfer.html").read_text()
    assert not Path("results/demo/report").exists()


def test_the_page_has_the_gallery_if_that_is_drawn(main, finish):
    todo = finished(finish)
    section = shown(main, "gallery")
    assert "not drawn: there is no such file yet. To draw it, add <code>--force -- results/demo/" in section
    leave_figure(todo, "gallery", todo.gallery_of)
    assert "data:image/png" in shown(main, "gallery")
    leave_figure(todo, "gallery", todo.gallery_of | {"cutmix": "of another recipe"})
    assert "was made of other runs than those of now" in shown(main, "gallery")
    assert "data:image/png" not in shown(main, "gallery")


@pytest.mark.parametrize("name", ["activations", "detections_ssd_voc", "captions_nic_coco"])
def test_a_figure_is_shown_with_its_records_and_only_where_they_are_those_of_now(main, finish, name):
    todo = finished(finish)
    runs = todo.material(name)
    folders = {run.backbone: Path(run.record).parent for run in runs}
    leave_figure(todo, name, records(folders))
    section = shown(main, name)
    assert "not drawn" not in section
    for run in runs:
        seeds = "p0" if name == "activations" else "p0s0"
        assert f'metrics.json">{run.backbone} {seeds}</a> <code>{sha256(run.record)[:10]}</code>' in section
    record = folders["cutmix"] / "metrics.json"
    record.write_text(record.read_text() + " ")
    assert "was made of other runs than those of now" in shown(main, name)
    record.unlink()
    section = shown(main, name)
    assert f"not drawn: no record of cutmix {'p0' if name == 'activations' else 'p0s0'} (pending)" in section
    assert f"To draw it, add <code>--force -- {todo.figures[name]}</code> to your snakemake command." in section
    assert section.count("<code>") == 1


def test_no_section_goes_without_a_word(main):
    main("--config", DEMO)
    page = Path("results/demo/report/transfer.html").read_text()
    for name in ("gallery", "activations", "detections", "captions"):
        assert "not drawn: " in page.partition(f'<h2 id="{name}">')[2].partition("</section>")[0]
    assert "not drawn: " in Path("results/demo/report/captions_nic_coco.html").read_text()


def test_the_same_records_give_the_same_bytes(main, finish):
    for run in plan(CONFIG).runs[::2]:
        finish(run)
    main("--config", DEMO, "--out", "one")
    main("--config", DEMO, "--out", "two")
    for file in Path("one").iterdir():
        assert file.read_bytes() == Path("two", file.name).read_bytes()


def test_two_data_sets_end_it_with_one_line_and_no_table(main, finish, capsys):
    for run in plan(CONFIG).runs:
        finish(run)
        if (run.task, run.backbone) == ("ssd_voc", "cutmix"):
            record = json.loads(Path(run.record).read_text())
            record["provenance"]["data"] = "of others"
            write_record_file(Path(run.record).parent, record)
    with pytest.raises(SystemExit) as stop:
        main("--config", DEMO)
    printed = capsys.readouterr()
    assert stop.value.code == 1
    assert printed.out == ""
    assert printed.err.startswith("error: ssd_voc: the records of baseline p0s0 and cutmix p0s0")
    assert "and of others" in printed.err
    assert printed.err.count("\n") == 1
    assert not Path("results/demo/report").exists()


def test_records_of_another_config_are_stale_and_in_no_number(main, finish):
    """The demo's, copied to where another config stands: one row is pretrained otherwise, one task has another rate."""
    finished(finish)
    config = json.loads(DEMO)
    rate = config["tasks"]["ssd_voc"]["lr"]
    config["backbones"]["cutmix"]["regularizers"]["cutmix"]["alpha"] = 0.2
    config["tasks"]["ssd_voc"]["lr"] = 0.6
    text = main("--config", json.dumps(config))
    assert "\n5 of 12 runs are stale: made with another recipe, data or backbone, and in no number; run" in text
    assert "\n1 of 12 runs are pending\n" in text
    assert f"\nssd_voc scratch p0s0: stale: recipe.lr {rate}, now 0.6\n" in text
    assert re.search(r"\nnic_coco cutmix p0s0: stale: backbone \w{10}, now none\n", text)
    assert re.search(rf"\nssd_voc cutmix p0s0: stale: recipe.lr {rate}, now 0.6; backbone \w{{10}}, now none\n", text)
    rows = list(csv.DictReader(Path("results/demo/report/transfer.csv").read_text().splitlines()))
    numbers = {(row["task"], row["backbone"]) for row in rows if row["mean"]}
    others = {(task, name) for task in ("pretrain", "faster_rcnn_voc", "nic_coco") for name in config["backbones"]}
    assert numbers == {(task, name) for task, name in others if name != "cutmix"}


def test_it_starts_without_torch():
    heavy = {"torch", "pandas", "mmengine", "matplotlib", "pretrain"}
    code = f"import sys, workflow.reporting.report; print({heavy} & set(sys.modules))"
    call = [sys.executable, "-c", code]
    found = subprocess.run(call, cwd=PROJECT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
