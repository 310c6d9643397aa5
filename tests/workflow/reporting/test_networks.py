"""A table of several networks: which rows stand together, how large a network is, and that one network is told once."""

import csv
import io
import re
from pathlib import Path

import pytest

from workflow.reporting.networks import against, network_rows
from workflow.reporting.page.html_page import html
from workflow.reporting.publish import table
from workflow.reporting.summary import summarize
from workflow.reporting.tables.latex import latex
from workflow.reporting.tables.text_tables import long_csv, markdown, terminal

PAGE = Path("transfer.html")
R18, MIXED = {"network": "resnet18"}, {"regularizers": {"mixup": {}}}
ROWS = {"baseline": {}, "r18": R18, "cutmix": {"regularizers": {"cutmix": {}}}, "r18_mixup": R18 | MIXED}
GROUPED = ["baseline", "cutmix", "r18", "r18_mixup"]
SIZES = {"resnet50": 25_557_032, "resnet18": 11_689_512}


@pytest.fixture
def several(experiment):
    """An experiment of two networks whose rows stand mixed in the config; records of pretraining say their sizes."""
    small = experiment(ROWS, tasks=("ssd_voc",))
    for row, spec in ROWS.items():
        small.sign(small.run("pretrain", row), parameters=SIZES[spec.get("network", "resnet50")])
    return small


def outputs(small):
    summary = summarize(small.plan)
    page = html(summary, small.folder, {}, {}, [], {})["transfer.html"]
    return {
        "csv": long_csv(summary), "md": markdown(summary), "tex": latex(summary), "published": table(summary),
        "terminal": terminal(summary, PAGE), "html": page,
    }  # fmt: skip


def test_rows_stand_network_by_network_in_every_output(several):
    assert summarize(several.plan).backbones == GROUPED
    for name, text in outputs(several).items():
        starts = {"html": r'<th class="name" scope="row">', "md": r"\n\| ", "published": r"\n\| ", "tex": r"\n"}
        names = "|".join(sorted(GROUPED, key=len, reverse=True)).replace("_", r"(?:\\_\\allowbreak\{\}|_)")
        found = re.findall(starts.get(name, r"\n") + rf"({names})\b", text)
        order = [row.replace(r"\_\allowbreak{}", "_") for row in dict.fromkeys(found)]
        assert order == GROUPED, name


def test_a_row_says_its_network_and_its_parameters(several):
    said = outputs(several)
    rows = {row["backbone"]: row for row in csv.DictReader(io.StringIO(said["csv"]))}
    assert (rows["r18"]["network"], rows["r18"]["parameters (M)"]) == ("resnet18", "11.7")
    assert "| backbone | network | parameters (M) | pretrain<br>top1_error" in said["md"]
    assert "| r18_mixup | resnet18 | 11.7 |" in said["md"]
    assert re.search(r"^backbone +network +params ", said["terminal"], re.M)
    assert re.search(r"^r18_mixup +resnet18 +11\.7 M ", said["terminal"], re.M)
    assert r"\multicolumn{4}{@{}l}{\textbf{resnet18, 11.7 M parameters}} \\" in said["tex"]
    assert '<th class="name network" scope="rowgroup" colspan="4">resnet50, 25.6 M parameters</th>' in said["html"]
    assert "| r18<br>resnet18, 11.7 M parameters |" in said["published"]
    for name in ("md", "html"):
        assert "Parameters are those of the published network, with its classifier of 1,000 classes." in said[name]


def test_each_network_s_baseline_is_named(several):
    words = "the baseline of the row's network (resnet50: baseline; resnet18: r18)"
    said = outputs(several)
    assert f"change against {words}." in " ".join(said["terminal"].split())
    assert f"against {words}." in said["md"]
    assert rf"\emph{{Change}}: against {words}." in said["tex"]
    assert "; in brackets the change against the baseline of the row&#39;s network" in said["html"]


def test_one_network_is_told_once_and_in_no_column(experiment):
    small = experiment(tasks=("ssd_voc",))
    small.sign(small.run("pretrain", "baseline"), parameters=SIZES["resnet50"])
    for name, text in outputs(small).items():
        assert text.count("25.6 M parameters") == (0 if name in ("csv", "published") else 1), name
        assert not re.search(r"\bparams\b|parameters \(M\)|,network|rowgroup", text), name
    assert "in brackets the change against the row baseline." in markdown(summarize(small.plan))


def test_records_of_before_have_no_size(experiment):
    """They name the network all the same."""
    small = experiment(ROWS, tasks=("ssd_voc",))
    said = outputs(small)
    assert "| r18 | resnet18 |  |" in said["md"]
    assert re.search(r"^r18_mixup +resnet18 +\S", said["terminal"], re.M)
    assert "M parameters" not in said["tex"]
    assert "Parameters are those" not in said["md"]


def test_a_table_without_any_baseline_says_so(experiment):
    small = experiment({"cutmix": {}, "mine": {"checkpoint": "a.pth"}}, tasks=("ssd_voc",))
    said = outputs(small)
    assert "no row is pretrained here without a regularizer, so there is no baseline and no change." in said["md"]
    assert "In brackets" not in said["terminal"]
    assert "Change" not in said["tex"]
    assert not re.search(r"\([+−-]\d", said["md"] + said["terminal"])


def test_a_network_without_a_baseline_is_named(experiment):
    small = experiment({"baseline": {}, "r18_mixup": R18 | MIXED}, tasks=("ssd_voc",))
    words = against(network_rows(small.plan.config, []))
    assert words == "the baseline of the row's network (resnet50: baseline; resnet18: none, so no change)"


def test_the_paper_s_numbers_are_those_of_its_network(experiment):
    table = summarize(experiment({"baseline": R18, "cutmix": {"regularizers": {"cutmix": {}}}}).plan).cells
    assert table["baseline", "ssd_voc", "mAP"].paper is None
    assert table["cutmix", "ssd_voc", "mAP"].paper.value == 77.6
    assert table["cutmix", "ssd_voc", "mAP"].paper_delta is None
