"""What is said before any job: how much is planned; and a home that cannot be written."""

import cProfile
import os
import pstats
import subprocess
from pathlib import Path

import pytest
import yaml

from workflow.config import load
from workflow.plan import plan
from workflow.preflight import MANY, refuse_no_folders, settle, warn_of_many

PROJECT = Path(__file__).parents[2]
DEMO = load(PROJECT / "config/demo.yaml")


def of(pretrain: int, transfer: int) -> dict:
    """The demo with more seeds, and with a backbone that is random."""
    seeds = {"pretrain": list(range(pretrain)), "transfer": list(range(transfer))}
    return DEMO | {"seeds": seeds, "backbones": DEMO["backbones"] | {"scratch": {"init": "random"}}}


@pytest.mark.parametrize(("pretrain", "transfer"), [(20, 10), (3, 60), (40, 4)])
def test_how_much_is_planned_is_said_first(pretrain, transfer, capsys, monkeypatch):
    monkeypatch.setattr("workflow.preflight.MANY", 1)
    config = of(pretrain, transfer)
    warn_of_many(config)
    said, todo = capsys.readouterr().err, plan(config)
    backbones = len([run for run in todo.runs if run.task == "pretrain"])
    assert said.startswith(f"warning: {len(todo.runs):,} runs ({backbones:,} backbones), about ")
    jobs = int(said.split("about ")[1].split(" jobs")[0].replace(",", ""))
    assert 0 < jobs - len(todo.runs) - len(todo.features) < 30


def test_it_is_said_before_anything_is_planned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(yaml.safe_dump(of(40, 20)))

    def stop(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("workflow.preflight.plan", stop)
    with pytest.raises(KeyboardInterrupt):
        settle(["x.yaml"], {})
    assert "runs (200 backbones), about" in capsys.readouterr().err


def test_few_runs_are_not_worth_a_word(capsys):
    warn_of_many(DEMO)
    assert capsys.readouterr().err == ""
    assert MANY > 1000


def test_planning_grows_linearly(tmp_path, monkeypatch):
    """In calls of functions, which no other load on the machine changes."""
    monkeypatch.chdir(tmp_path)

    def calls(transfer):
        profile = cProfile.Profile()
        profile.enable()
        refuse_no_folders(plan(of(4, transfer)))
        profile.disable()
        return pstats.Stats(profile).total_calls

    calls(1)
    assert calls(40) < 2.1 * calls(20) < 4.4 * calls(10)


def at_home(home: Path, *call: str) -> subprocess.CompletedProcess:
    """A command of whose user the home is that, and whose caches are not named."""
    environment = {key: value for key, value in os.environ.items() if key != "XDG_CACHE_HOME"} | {"HOME": str(home)}
    return subprocess.run(call, env=environment, cwd=PROJECT, capture_output=True, text=True, check=False)


def test_make_gives_snakemake_a_cache_where_home_cannot_be_written(tmp_path):
    show = ["make", "-s", "--eval", "show: ; @echo $$XDG_CACHE_HOME", "show"]
    assert at_home(Path("/proc/none"), *show).stdout == f"{PROJECT}/.snakemake/cache\n"
    assert at_home(tmp_path, *show).stdout == "\n"


def test_a_cache_elsewhere_is_all_that_snakemake_needs_of_home(tmp_path, monkeypatch, snakemake):
    """As the cluster page says."""
    monkeypatch.setenv("HOME", "/proc/none")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert "/proc/none" in snakemake("--list-rules")[1], "should Snakemake do without, the page's lines can go"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / ".snakemake/cache"))
    status, said = snakemake("--list-rules")
    assert status == 0, said
    assert "XDG_CACHE_HOME=$PWD/.snakemake/cache" in (PROJECT / "docs/cluster.md").read_text()
