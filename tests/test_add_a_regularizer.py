"""The tutorial shows the files that there are, and what it says to type works."""

import re
from pathlib import Path

import pytest
import yaml

from workflow.config import loading
from workflow.core.errors import UserError

PROJECT = Path(__file__).parents[1]
FILE = PROJECT / "docs/add_a_regularizer.md"
PAGE = FILE.read_text(encoding="utf-8")
SOURCE = PROJECT / "backbones/regularizers/random_erasing.py"
TEST = PROJECT / "tests/backbones/regularizers/test_random_erasing.py"


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)


def test_its_class_is_the_file_and_its_laws_are_those_of_the_test():
    source, *laws = blocks("python")
    assert source == SOURCE.read_text(encoding="utf-8")
    assert len(laws) == 2
    assert all(law in TEST.read_text(encoding="utf-8") for law in laws)
    for named in re.findall(r"^`(\S+\.py)`", PAGE, re.MULTILINE):
        assert named in {path.relative_to(PROJECT).as_posix() for path in (SOURCE, TEST)}


def test_its_links_lead_to_files():
    links = re.findall(r"\]\(([^)#]+)", PAGE)
    assert len(links) > 5
    assert all((FILE.parent / link).is_file() for link in links), links


def test_the_tests_that_it_runs_exist():
    (command,) = [line for block in blocks("sh") for line in block.splitlines() if "pytest" in line]
    assert all((PROJECT / path).exists() for path in command.split()[1:])


def test_its_rows_are_planned_by_its_commands(snakemake, tmp_path):
    (rows,) = blocks("yaml")
    (tmp_path / "erasing.yaml").write_text(rows, encoding="utf-8")
    commands = [line for block in blocks("sh") for line in block.splitlines() if "snakemake" in line]
    table = loading.load(PROJECT / "config/demo.yaml", tmp_path / "erasing.yaml")["backbones"].values()
    pretrained = sum("init" not in row for row in table)
    assert len(commands) == 2
    for command, expected in zip(commands, (r"^gallery +1$", rf"^pretrain +{pretrained}$"), strict=True):
        words = [str(PROJECT / word) if word == "config/demo.yaml" else word for word in command.split()[1:]]
        status, said = snakemake("-n", *words)
        assert status == 0, said
        assert re.search(expected, said, re.MULTILINE), said


def test_the_message_that_it_quotes_is_the_one(tmp_path, monkeypatch):
    (rows,) = blocks("yaml")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").symlink_to(PROJECT / "config")
    wrong = rows.replace("[0.02, 0.4]", "[0.4, 0.02]", 1)
    Path("erasing.yaml").write_text(wrong, encoding="utf-8")
    assert yaml.safe_load(wrong) != yaml.safe_load(rows)
    with pytest.raises(UserError) as error:
        loading.load("config/demo.yaml", "erasing.yaml")
    assert f"`error: {error.value}`" in PAGE


def test_its_definitions_are_the_schema_s():
    (listed,) = re.findall(r"schema\.yaml\) \((.+?)\) or a JSON schema", PAGE)
    assert set(re.findall(r"`(\w+)`", listed)) <= loading.validator().schema["$defs"].keys()
