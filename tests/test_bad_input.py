"""Every bad input of the table (tests/bad) ends in one line that names the place, before anything is trained."""

import json
import sys
from types import SimpleNamespace

import pytest

from tests.bad import brought
from tests.bad.cases import fits
from tests.bad.table import GROUPS, main_of, markdown
from tests.conftest import PROJECT
from workflow.training.files import sha256

TABLE = [pytest.param(group, case, id=f"{group.title}: {case.what}") for group in GROUPS for case in group.cases]


@pytest.fixture
def call(tmp_path, monkeypatch, capfd, imagenet, voc, coco):
    """Do the damage of a case to a good input, call the door as the workflow does; (status, the terminal's lines)."""
    monkeypatch.chdir(tmp_path)

    def call(group, case):
        words = group.set_up(tmp_path, SimpleNamespace(imagenet=imagenet, voc=voc, coco=coco))
        case.make(tmp_path / group.root)
        if "RUN" in words:
            words[words.index("RUN")] = run()
        monkeypatch.setattr(sys, "argv", [group.door, *words])
        try:
            main_of(group)()
        except SystemExit as end:
            return end.code, capfd.readouterr().err.replace("\r", "\n").splitlines()
        return 0, []

    return call


def run() -> str:
    """The --run of the import door."""
    declared = {"preprocessing": "imagenet", "stride": "3x3", "weights": None}
    recipe = {"checkpoint": brought.FILE, "sha256": sha256(brought.FILE), **declared}
    whole = {"task": "pretrain", "backbone": "mine", "seeds": {"pretrain": 0}, "recipe": recipe, "data": {}}
    return json.dumps(whole | {"threads": 1, "workers": 0, "gpus": 0})


@pytest.mark.parametrize(("group", "case"), TABLE)
def test_it_is_said_in_one_line(group, case, call, tmp_path):
    status, lines = call(group, case)
    assert status == 1
    (line,) = [line for line in lines if line.startswith("error: ")]
    assert fits(case.said, line.removeprefix("error: ")), line
    assert not [line for line in lines if "Traceback" in line]
    assert not list(tmp_path.glob("results/backbones/*")), "nothing is made of it"
    assert not list(tmp_path.glob("results/data/x.json")), "nor is it vouched for"
    assert not (tmp_path / "ran").exists(), "nothing of it was run"


def test_there_are_enough():
    assert sum(len(group.cases) for group in GROUPS) >= 100


def test_the_page_is_that_of_the_table():
    assert (PROJECT / "docs/bad_input.md").read_text(encoding="utf-8") == markdown(), "python -m tests.bad writes it"
