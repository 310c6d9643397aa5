"""The command line of a room: subcommands, their arguments, and what an argument is read as."""

import importlib
import json
from pathlib import Path

import pytest

from workflow.core.errors import UserError
from workflow.planning.command_line import DATASET_INFO, EVIDENCE, FIGURE, RUN_SPEC, command_line, run_folder
from workflow.planning.run_spec import RunSpec

RUN = RunSpec("pretrain", "a", {"pretrain": 0}, {}, {}, threads=1, workers=0, gpus=0)
TRAINED = ["--run-spec", "--dataset-info", "--checkpoint-dir", "--out"]
TRANSFERRED = ["--run-spec", "--backbone", "--dataset-info", "--checkpoint-dir", "--out"]
DRAWN = ["--runs", "--dataset-info", "--out"]
COST = ["--run-spec", "--dataset-info", "--out", "--network"]
REQUIRED = {
    "backbones export": ["DIR", "--out"],
    "pretrain train": TRAINED,
    "pretrain import_backbone": [*TRAINED, "--checkpoint"],
    "pretrain random_backbone": TRAINED,
    "pretrain preflight": ["--recipes"],
    "pretrain evaluate": ["--backbone", "--dataset-info", "--config"],
    "pretrain gallery": ["--config", "--dataset-info", "--out"],
    "pretrain cam": DRAWN,
    "pretrain cost": COST,
    "detection train": TRANSFERRED,
    "detection evaluate": ["--predictions", "--dataset-info"],
    "detection visualize": DRAWN,
    "detection predict": ["--run", "PHOTO", "--out"],
    "detection cost": COST,
    "captioning train": [*TRANSFERRED, "--vocabulary"],
    "captioning features": ["--run-spec", "--backbone", "--dataset-info", "--out"],
    "captioning vocabulary": ["--dataset-info", "--min-word-count", "--out"],
    "captioning preflight": ["--dataset-info", "--key", "--recipe"],
    "captioning evaluate": ["--predictions", "--dataset-info"],
    "captioning qualitative": DRAWN,
    "captioning describe": ["--run", "PHOTO"],
    "captioning cost": COST,
    "robustness evaluate": TRANSFERRED,
    "robustness preflight": ["--dataset-info", "--key", "--recipe"],
    "robustness curves": DRAWN,
    "robustness cost": COST,
}


def test_the_table_has_all_subcommands():
    rooms = {door.split()[0] for door in REQUIRED}
    found = {f"{room} {run.__name__}" for room in rooms for run in importlib.import_module(f"{room}.cli").SUBCOMMANDS}
    assert found == {*REQUIRED}


@pytest.mark.parametrize("door", REQUIRED)
def test_each_argument_must_be_given(door, required):
    room, subcommand = door.split()
    assert required(importlib.import_module(f"{room}.cli").main, subcommand) == REQUIRED[door]


def test_a_room_must_be_given_a_subcommand(required):
    assert required(importlib.import_module("detection.cli").main) == ["SUBCOMMAND"]


@pytest.fixture
def call(monkeypatch):
    """Call a room with one subcommand, `score`, of these arguments; what that gets."""

    def call(arguments, *words):
        given = []

        def score(args):
            """Score."""
            given.append(args)

        monkeypatch.setattr("sys.argv", ["room", "score", *words])
        command_line("room", "A room.", {score: arguments})()
        return given[0]

    return call


def test_a_subcommand_gets_typed_arguments(call, tmp_path):
    words = ["--run-spec", json.dumps(RUN.as_dict()), "--dataset-info", "check.json"]
    args = call((RUN_SPEC, DATASET_INFO, EVIDENCE), *words)
    assert (args.run_spec, args.dataset_info, args.evidence) == (RUN, Path("check.json"), None)
    (tmp_path / "a=c").mkdir()
    args = call(FIGURE, "--runs", f"b={tmp_path}", f"a={tmp_path}/a=c", "--dataset-info", "c", "--out", "f.png")
    assert (list(dict(args.runs).items()), args.out) == ([("b", tmp_path), ("a", tmp_path / "a=c")], Path("f.png"))


def test_a_run_that_is_none_ends_in_one_line(call, capsys):
    with pytest.raises(SystemExit) as end:
        call((RUN_SPEC,), "--run-spec", "x")
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("error: --run-spec is not the JSON of a run: ")


@pytest.mark.parametrize("text", ["x", "x=nowhere"])
def test_a_run_needs_a_name_and_a_folder(text):
    with pytest.raises(UserError, match=f"--runs {text}: must be a backbone's name, = and the folder of its run"):
        run_folder(text)
