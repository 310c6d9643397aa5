"""What can be taken from the page: in the page itself if it is small, in a file next to it otherwise."""

import base64
import io
import json
import re
import zipfile
from pathlib import Path

from tests.workflow.reporting.page.test_html_page import Links
from workflow.reporting.page.downloads import EMBEDDED, address, downloads
from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.text_tables import long_csv

TABLES = ["transfer.csv", "transfer.tex", "transfer.json"]


def test_a_page_that_is_mailed_alone_still_has_its_tables_figures_and_records(experiment):
    small = experiment()
    summary = summarize(small.plan)
    files = downloads(summary)
    text = html(summary, small.folder, {}, {}, [], files)["transfer.html"]
    links = re.findall(r'<a href="([^"]+)" download="([^"]+)">', text)
    assert [name for _, name in links] == list(files) == [*TABLES, "forest.pdf", "scatter.pdf", "records.zip"]
    for source, name in links:
        assert source.startswith(("data:text/", "data:application/"))
        assert base64.b64decode(source.partition(";base64,")[2]) == files[name]
    assert files["transfer.csv"].decode() == long_csv(summary)


def test_a_large_file_is_linked_next_to_the_page(experiment):
    small = experiment(tasks=("ssd_voc",))
    for size, said in (
        (EMBEDDED, "It is a part of the page."),
        (EMBEDDED + 1, "It is too large to be a part of the page"),
    ):
        files = {"records.zip": bytes(size)}
        text = html(summarize(small.plan), small.folder, {}, {}, [], files)["transfer.html"]
        assert said in text
        assert ('href="records.zip"' in text) == (size > EMBEDDED)
    assert address("records.zip", bytes(EMBEDDED + 1)) == "records.zip"
    assert address("records.zip", bytes(EMBEDDED)).startswith("data:application/zip;base64,")


def test_every_trail_of_the_page_is_in_the_records(experiment):
    small = experiment(seeds=(2, 1), tasks=("nic_coco",))
    small.remove(small.run("nic_coco", "cutmix", pretrain=1))
    summary = summarize(small.plan)
    files = downloads(summary)
    assert files == downloads(summary), "the same records give the same bytes"
    text = html(summary, Path("/"), {}, {}, [], {})["transfer.html"]
    trails = {address for address in Links(text).addresses if address.endswith(".json")}
    with zipfile.ZipFile(io.BytesIO(files["records.zip"])) as archive:
        assert set(archive.namelist()) == trails
        for name in trails:
            assert archive.read(name) == Path("/", name).read_bytes()


def test_the_table_for_programs_has_all_cells_and_runs(experiment):
    small = experiment(seeds=(2, 1), tasks=("ssd_voc", "nic_coco"))
    small.fail(small.run("nic_coco", "cutmix", pretrain=1), "ValueError: bad luck")
    summary = summarize(small.plan)
    content = json.loads(downloads(summary)["transfer.json"])
    cells = {(cell["backbone"], cell["task"], cell["metric"]): cell for cell in content["cells"]}
    assert cells.keys() == summary.cells.keys()
    cell, stored = summary.cells["cutmix", "ssd_voc", "mAP"], cells["cutmix", "ssd_voc", "mAP"]
    assert (stored["mean"], stored["change"], stored["verdict"]) == (cell.mean, cell.change, "few seeds")
    assert stored["values"] == {"p0s0": cell.values[0], "p1s0": cell.values[1]}
    assert (stored["paper"], stored["paper_source"]) == (77.6, "CutMix, ICCV 2019, Table 10")
    assert not {"interval", "paper"} & cells["cutmix", "ssd_voc", "mAP_area"].keys()
    assert "failed: ValueError: bad luck (p1s0)" in cells["cutmix", "nic_coco", "CIDEr"]["missing"]
    assert len(content["runs"]) == len(small.plan.runs)
    assert [run.get("missing") for run in content["runs"]].count("failed: ValueError: bad luck") == 1
    assert all(Path(run["record"]).is_file() for run in content["runs"] if "record" in run)
    assert content["kendall_tau"]["nic_coco"] == {"tau": None, "rows": 2, "low": None, "high": None}
