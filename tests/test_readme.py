"""The README and the pages beside it keep what they say: links lead somewhere, commands exist and can be planned."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from pretrain.regularizers import base
from workflow import config, regularizers
from workflow.reporting.differences import choices
from workflow.training.errors import UserError

HOUSE = Path(__file__).parents[1]
README = (HOUSE / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "config/README.md", "docs/cluster.md", "docs/survival.md", "docs/bad_input.md"]
PAGES += ["docs/results/tiny/README.md"]


def commands(page: str) -> list[str]:
    """The lines of its shell blocks, without comments; what goes on in the next line is one."""
    text = (HOUSE / page).read_text(encoding="utf-8").replace("\\\n", "")
    lines = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).splitlines()
    return [said for line in lines if (said := line.split("#")[0].strip())]


COMMANDS = commands("README.md")


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page):
    text = (HOUSE / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)", text) if not link.startswith("https://")]
    assert all((HOUSE / page).parent.joinpath(link).exists() for link in links), links


@pytest.mark.parametrize(
    ("task", "metric", "least", "most"),
    [
        ("pretrain", "top1_error", 0, 40),
        ("ssd_voc", "mAP", 30, 100),
        ("faster_rcnn_voc", "mAP", 20, 100),
        ("nic_coco", "CIDEr", 50, 1000),
    ],
)
def test_the_demo_learns_all_that_it_shows(task, metric, least, most):
    with (HOUSE / "docs/results/demo/transfer.csv").open(newline="", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file) if row["backbone"] == "baseline"]
    (mean,) = [float(row["mean"]) for row in rows if (row["task"], row["metric"]) == (task, metric)]
    assert least <= mean <= most


def test_make_targets_exist():
    targets = re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.MULTILINE)
    asked = {command.split()[1] for command in COMMANDS if command.startswith("make ")}
    assert {"demo", "test"} <= asked <= set(targets)


def test_modules_named_exist_and_explain_themselves():
    named = sorted(set(re.findall(r"python -m ([a-z_.]+)", README)))
    assert "workflow.reporting.report" in named
    for module in named:
        done = subprocess.run([sys.executable, "-m", module, "--help"], cwd=HOUSE, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "usage:" in done.stdout


def test_its_real_run_is_planned(snakemake):
    dry = [c.split("snakemake ")[1].split() for c in COMMANDS if "snakemake -n" in c]
    assert dry
    for arguments in dry:
        arguments = [str(HOUSE / a) if a.startswith("config/") else a for a in arguments]
        status, said = snakemake(*arguments)
        assert status == 0, said
        assert re.search(r"^detection +30", said, re.MULTILINE), "ten backbones, three tasks of detection"


@pytest.mark.parametrize(
    "command", [c for c in commands("docs/cluster.md") if c.startswith((".venv/bin/snakemake", "-"))]
)
def test_the_commands_for_a_cluster_are_planned(command, snakemake):
    words = command.removeprefix(".venv/bin/snakemake").split()  # what lacks it are options to be added
    words += [] if "--configfile" in words else ["--configfile", "config/paper.yaml"]
    words = [str(HOUSE / word) if word.startswith(("config/", "workflow/")) else word for word in words]
    status, said = snakemake("-n", *words)
    assert status == 0, said
    asked = re.findall(r"\b(?:slurm_\w+|runtime|mem_mb)=\w+", command)
    assert all(f"{each}," in said or f"{each}\n" in said for each in asked), "the jobs have what it sets"


def test_the_regularizer_that_it_shows_works_with_its_test_and_its_rows(tmp_path, monkeypatch):
    source, test = re.findall(r"```python\n(.*?)```", README.split("## Add a regularizer")[1], re.DOTALL)[:2]
    rows = re.search(r"```yaml\n(backbones:.*?)```", README, re.DOTALL).group(1)
    for file in regularizers.FOLDER.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "gray.py").write_text(source)
    monkeypatch.setattr(regularizers, "FOLDER", tmp_path)
    monkeypatch.setattr(base, "REGULARIZERS", dict(base.REGULARIZERS))
    monkeypatch.syspath_prepend(tmp_path)
    found: dict = {}
    exec(test.replace("pretrain.regularizers.gray", "gray"), found)
    found["test_at_full_strength_no_colour_is_left"]()
    config.validator.cache_clear()
    try:
        demo = config.read(HOUSE / "config/demo.yaml")
        config.check(config.overlay(demo, yaml.safe_load(rows)), "README")
        with pytest.raises(UserError, match=r"gray\.strength: must be at most 1, not 2"):
            config.check(config.overlay(demo, yaml.safe_load(rows.replace("strength: 1.0", "strength: 2"))), "README")
    finally:
        config.validator.cache_clear()
        sys.modules.pop("gray", None)


def test_of_what_differs_from_the_paper_it_says_what_the_page_says():
    table = README.partition("### What differs from the paper")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in table.splitlines() if line.startswith("| ")]
    assert [tuple(row) for row in rows if row[0] != "our choice"] == choices(), "workflow/reporting/choices.yaml"
