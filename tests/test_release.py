"""What users look for at the root: a changelog of the version, and the entry for Snakemake's workflow catalog."""

import re
import tomllib
from pathlib import Path

import yaml

PROJECT = Path(__file__).parents[1]
CHANGELOG = (PROJECT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_the_newest_version_of_the_changelog_is_the_project_s():
    version = tomllib.loads((PROJECT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    assert re.findall(r"^## \[(.+?)\] - (?:Unreleased|\d{4}-\d\d-\d\d)$", CHANGELOG, re.M)[0] == version


def test_its_sections_are_those_of_keep_a_changelog():
    sections = set(re.findall(r"^### (.+)$", CHANGELOG, re.M))
    assert sections <= {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert all((PROJECT / link).is_file() for link in re.findall(r"\]\((?!https:)([^)]+)\)", CHANGELOG))


def test_the_catalog_s_entry_is_true():
    usage = yaml.safe_load((PROJECT / ".snakemake-workflow-catalog.yml").read_text(encoding="utf-8"))["usage"]
    assert usage.keys() == {"mandatory-flags", "software-stack-deployment"}
    assert usage["mandatory-flags"].keys() == {"desc", "flags"}
    rules = "".join(path.read_text(encoding="utf-8") for path in (PROJECT / "workflow/rules").glob("*.smk"))
    deployment = usage["software-stack-deployment"]
    assert deployment["conda"] == ("    conda:\n" in rules)
    assert deployment["apptainer"] == deployment["apptainer+conda"] == ("    container:\n" in rules)
    assert deployment["report"] == ("report(" in rules)
    assert (PROJECT / "config/README.md").is_file(), "which the catalog shows"
