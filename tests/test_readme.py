"""README and pages stay true: links lead to files and headings, and every shell command exists and can be planned."""

import csv
import functools
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import torch
import yaml

from backbones.regularizers import base
from tests.snakemake_call import caller
from workflow import registry
from workflow.config import loading, regularizers
from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.planning.tracking import VARIABLE

HOUSE = Path(__file__).parents[1]
README = (HOUSE / "README.md").read_text(encoding="utf-8")
PAGES = ["README.md", "config/README.md", *sorted(str(p.relative_to(HOUSE)) for p in HOUSE.glob("docs/**/*.md"))]
FENCES = re.compile(r"^ *```(\w*)\n(.*?)^ *```", re.M | re.S)


def content(page: str) -> str:
    """Its text."""
    return (HOUSE / page).read_text(encoding="utf-8")


def commands(text: str) -> list[str]:
    """The lines of its shell blocks, without comments; a continued line is one."""
    blocks = "".join(block for language, block in FENCES.findall(text.replace("\\\n", "")) if language == "sh")
    return [command for line in blocks.splitlines() if (command := line.split("#")[0].strip())]


# What the tutorials of a task and of a network say runs where these are, in a copy: tests/test_opened.py.
HERE = [page for page in PAGES if page not in ("docs/add_a_task.md", "docs/add_a_network.md")]
COMMANDS = list(dict.fromkeys(command for page in HERE for command in commands(content(page))))


def anchors(page: Path) -> set[str]:
    """The headings of a page as links name them."""
    headings = re.findall(r"^#+ (.+)$", FENCES.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files_and_headings(page):
    links = re.findall(r"\]\(([^)\s]+)\)", FENCES.sub("", content(page)))
    for link in (link for link in links if not link.startswith("https://")):
        path, _, anchor = link.partition("#")
        target = (HOUSE / page).parent / path if path else HOUSE / page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_page_but_the_readme_is_linked_from_another():
    found = {
        ((HOUSE / page).parent / link.partition("#")[0]).resolve()
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s:]+)\)", content(page))
    }
    assert [page for page in PAGES[1:] if (HOUSE / page).resolve() not in found] == []


def test_a_shell_block_is_read_as_a_shell_reads_it():
    text = "a\n```sh\nmake demo  # all\n#!/bin/sh\nsnakemake \\\n  -n\n```\n```python\nx\n```\n"
    text += "  ```sh\n  make test\n  ```\n"
    assert commands(text) == ["make demo", "snakemake   -n", "make test"]


def test_a_shell_block_is_one_that_the_tests_know():
    languages = {language for page in PAGES for language, _ in FENCES.findall(content(page))}
    assert languages <= {"sh", "python", "yaml", "bibtex", ""}


@functools.cache
def help_of(module: str) -> str:
    done = subprocess.run([sys.executable, "-m", *module.split(), "--help"], cwd=HOUSE, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def dry_run(tmp_path_factory):
    """dry_run(call of Snakemake, or options to add to one): what it would do; each once, on whatever cores."""
    folder = tmp_path_factory.mktemp("planned")
    snakemake = caller(folder)
    (rows,) = [block for language, block in FENCES.findall(content("docs/add_a_regularizer.md")) if language == "yaml"]
    (folder / "erasing.yaml").write_text(rows, encoding="utf-8")

    @functools.cache
    def plan(arguments: str) -> str:
        words = [str(HOUSE / word) if word.startswith(("config/", "workflow/")) else word for word in arguments.split()]
        status, output = snakemake("-n", *words)
        assert status == 0, output
        return output

    def call(command: str) -> str:
        command += "" if "--configfile" in command else " --configfile config/paper.yaml"
        command = re.sub(r"^snakemake( -n)?| --cores \w+", "", command)
        return plan(command)

    return call


def torchrun(words: list[str]) -> None:
    """Its options are torch's, and the module that it starts exists."""
    from torch.distributed.run import get_args_parser

    parsed = get_args_parser().parse_args(words)
    assert importlib.util.find_spec(parsed.training_script)
    subcommand, option, *_ = parsed.training_script_args
    assert f"{option} " in help_of(f"{parsed.training_script} {subcommand}")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_a_page_exists_and_is_planned(command, dry_run):
    command = command.removeprefix(f"{VARIABLE}=tensorboard ")
    words = re.sub(r"\$\([^)]*\)", "host", command).split()
    if command == "source .venv/bin/activate":
        assert "-m venv .venv" in (HOUSE / "Makefile").read_text()
    elif words[0] == "make":
        assert words[1] in re.findall(r"^([a-z-]+):", (HOUSE / "Makefile").read_text(), re.M)
    elif words[:2] == ["python", "-m"]:
        module = " ".join(words[2:4]) if re.fullmatch(r"[a-z_]+", words[3]) else words[2]
        assert "usage:" in help_of(module)
        assert all(re.search(rf"{word}\b", help_of(module)) for word in words if word.startswith("--"))
    elif words[:2] == ["snakemake", "--report"]:
        assert "--report [FILE]" in help_of("snakemake")
    elif words[0] == "snakemake" or words[0].startswith("--"):
        jobs = dry_run(command)
        wanted = re.findall(r"\b(?:slurm_\w+|runtime|mem_mb)=\w+", command)
        assert all(f"{each}," in jobs or f"{each}\n" in jobs for each in wanted), "they have the resources that it sets"
    elif words[:2] == ["srun", ".venv/bin/torchrun"]:
        torchrun(words[2:])
    elif words[0] == "pytest":
        assert all((HOUSE / path).exists() for path in words[1:])
    elif words[0] == "tensorboard":
        assert importlib.util.find_spec("tensorboard")
        assert words[1:] == ["--logdir", "results/paper/tracking"]
    elif words[0] in ("docker", "apptainer"):  # tests/test_container.py has what is theirs
        call = command.partition(" snakemake ")[2]
        assert not call or dry_run(f"snakemake {call}")
    else:
        pytest.fail(f"no test knows {words[0]}")


def test_the_paper_s_run_is_planned_in_full(dry_run):
    (command,) = [command for command in commands(README) if command.startswith("snakemake -n ")]
    assert re.search(r"^detection +30", dry_run(command), re.MULTILINE), "ten backbones, three tasks of detection"


def test_modules_that_pages_name_are_commands():
    named = sorted({name for page in HERE for name in re.findall(r"python -m ([a-z0-9_.]+)\b", content(page))})
    assert {"workflow.reporting.report", "workflow.config", "tests.bad"} <= {*named}
    for name in named:
        spec = importlib.util.find_spec(name)
        folder = spec.submodule_search_locations
        source = Path(folder[0]) / "__main__.py" if folder else Path(spec.origin)
        assert folder or "__main__" in source.read_text(encoding="utf-8"), name
        assert source.is_file(), name


def test_the_readme_has_ten_kilobytes_at_most():
    assert len(README.encode()) <= 10_000


def test_the_citation_is_that_of_the_project():
    cff = yaml.safe_load((HOUSE / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (software,) = re.findall(r"@\w+\{.*?^\}", README, re.M | re.S)
    fields = dict(re.findall(r"^ *(\w+) += \{+([^{}]+)\}+", software, re.M))
    ours = {"title": cff["title"], "author": cff["authors"][0]["name"], "version": cff["version"]}
    assert fields == {**ours, "license": cff["license"]}
    assert (cff["version"], cff["license"]) == (project["version"], project["license"])
    assert [paper["title"].split(":")[0] for paper in cff["references"]] == ["CutMix"], "the paper whose table this is"


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


def test_the_rows_of_imported_backbones_fit_the_schema():
    for page in ("README.md", "docs/add_a_backbone.md"):
        for language, block in FENCES.findall(content(page)):
            if language == "yaml" and "checkpoint" in block:
                rows = loading.overlay({}, yaml.safe_load(block))
                demo = loading.overlay(loading.load_yaml(HOUSE / "config/demo.yaml"), rows)
                assert list(loading.schema_faults(demo)) == []


def test_the_regularizers_that_it_names_are_those_that_there_are():
    (named,) = re.findall(r"There are eleven: (.+?)\. Another", README, re.S)
    assert re.findall(r"`(\w+)`", named) == list(regularizers.declared())


def test_the_page_that_it_names_has_all_networks():
    page = content("docs/add_a_network.md").partition("## By name")[2].partition("```")[0]
    assert {*registry.network_names()} <= {*re.findall(r"`([\w/]+)`", page)}


def test_the_regularizer_that_it_shows_works_with_its_rows(tmp_path, monkeypatch):
    (source,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    rows = re.search(r"```yaml\n(backbones:\n  gray.*?)```", README, re.DOTALL).group(1)
    for file in regularizers.FOLDER.glob("*.py"):
        (tmp_path / file.name).write_text(file.read_text())
    (tmp_path / "gray.py").write_text(source)
    monkeypatch.setattr(regularizers, "FOLDER", tmp_path)
    monkeypatch.setattr(base, "REGULARIZERS", dict(base.REGULARIZERS))
    found: dict = {}
    exec(source, found)
    image = torch.randint(0, 256, (3, 8, 8), dtype=torch.uint8)
    gray = found["Gray"](strength=1.0, probability=1.0).image(image, rng(0))
    assert torch.equal(gray[0], gray[1])
    assert torch.equal(gray[1], gray[2])
    loading.validator.cache_clear()
    try:
        demo = loading.load_yaml(HOUSE / "config/demo.yaml")
        loading.check(loading.overlay(demo, yaml.safe_load(rows)), "README")
        with pytest.raises(UserError, match=r"gray\.strength: must be at most 1, not 2"):
            loading.check(loading.overlay(demo, yaml.safe_load(rows.replace("strength: 1.0", "strength: 2"))), "README")
    finally:
        loading.validator.cache_clear()
