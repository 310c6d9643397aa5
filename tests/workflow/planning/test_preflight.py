"""What is said before any job: how much is planned; and a home that cannot be written."""

import cProfile
import os
import pstats
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.demo import demo
from workflow.planning.plan import plan
from workflow.planning.preflight import MANY, load_plan, refuse_no_folders, warn_of_many

PROJECT = Path(__file__).parents[3]
DEMO = demo()


def of(pretrain: int, transfer: int) -> dict:
    """The demo with more seeds, and with a backbone that is random."""
    seeds = {"pretrain": list(range(pretrain)), "transfer": list(range(transfer))}
    return DEMO | {"seeds": seeds, "backbones": DEMO["backbones"] | {"scratch": {"init": "random"}}}


@pytest.mark.parametrize(("pretrain", "transfer"), [(20, 10), (3, 60), (40, 4)])
def test_how_much_is_planned_is_said_first(pretrain, transfer, capsys, monkeypatch):
    monkeypatch.setattr("workflow.planning.preflight.MANY", 1)
    config = of(pretrain, transfer)
    warn_of_many(config)
    said, todo = capsys.readouterr().err, plan(config)
    backbones = len([run for run in todo.runs if run.task == "pretrain"])
    assert said.startswith(f"warning: {len(todo.runs):,} runs ({backbones:,} backbones), about ")
    jobs = int(said.split("about ")[1].split(" jobs")[0].replace(",", ""))
    assert 0 < jobs - len(todo.runs) - len(todo.artifacts) < 30


def test_it_is_said_before_anything_is_planned(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("x.yaml").write_text(yaml.safe_dump(of(40, 20)))

    def stop(config):
        raise KeyboardInterrupt

    monkeypatch.setattr("workflow.planning.preflight.plan", stop)
    with pytest.raises(KeyboardInterrupt):
        load_plan(["x.yaml"], {})
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


def homes(folder: Path) -> dict[str, tuple[Path, bool]]:
    """Kind of home to its place and whether Snakemake can keep its cache there. (Root may write anywhere: a file where
    the folder is to be, or no folder at all, is what no one can write into.)"""
    cases = {"writable": folder / "home", "cache is there": folder / "kept", "no home": Path("/proc/none")}
    (folder / "home").mkdir()
    (folder / "kept/.cache/snakemake").mkdir(parents=True)
    return {kind: (place, kind != "no home") for kind, place in cases.items()}


def test_snakemake_finds_a_place_for_its_cache_where_home_has_none(tmp_path, monkeypatch):
    """By the line that `make environment` has put into the environment, which Python runs as it starts: a bare call of
    Snakemake in a process of its own, not make's."""
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    call = [sys.executable, "-m", "snakemake", "-s", PROJECT / "Snakefile", "--list-rules"]
    for kind, (place, written) in homes(tmp_path).items():
        monkeypatch.setenv("HOME", str(place))
        done = subprocess.run(call, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{kind}: {done.stdout}{done.stderr}"
        assert (place / ".cache/snakemake").is_dir() == written, kind
    assert (tmp_path / ".snakemake/cache/snakemake").is_dir()


def test_a_cache_that_the_user_has_named_stays(tmp_path):
    show = [sys.executable, "-c", "import os; print(os.environ['XDG_CACHE_HOME'])"]
    environment = os.environ | {"HOME": "/proc/none", "XDG_CACHE_HOME": "/mine"}
    assert subprocess.run(show, env=environment, capture_output=True, text=True, check=True).stdout == "/mine\n"


def test_a_cache_folder_of_root_is_not_written_into(tmp_path, monkeypatch):
    """As a careless `sudo pip` leaves it: HOME is the user's, and HOME/.cache is not. Root may write anywhere, so the
    answer of the system is given here."""
    (tmp_path / ".cache").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path / ".cache")
    exec((PROJECT / "workflow/snakemake_cache.pth").read_text())
    assert os.environ["XDG_CACHE_HOME"] == f"{Path.cwd()}/.snakemake/cache"
