"""The whole workflow through what happens to long runs: 20 kills, Ctrl-C, a preemption, a second Snakemake."""

import contextlib
import itertools
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from tests.kills import results
from tests.test_dag import DEMO, DRAWN, TINY
from tests.waiting import PATIENCE
from tests.workflow.test_rules_killed import unnoted
from workflow.config.loading import overlay
from workflow.planning.plan import plan

pytestmark = pytest.mark.slow

PROJECT = Path(__file__).parents[1]
KILLS = 20
MERGED = overlay(overlay(DEMO, TINY), {"pretrain": {"epochs": 3}})
CONFIG = MERGED | {
    **{"experiment": "killed", "data": DRAWN, "backbones": {"baseline": {}}},
    "tasks": {name: MERGED["tasks"][name] for name in ("ssd_voc", "nic_coco")},
}
BEGUN = re.compile(r"^(?:local)?rule (\w+):$", re.MULTILINE)
ENDED = re.compile(r"^Finished jobid: \d+ \(Rule: (\w+)\)$", re.MULTILINE)
# Python imports this by itself: every job saves before each iteration, so that these short ones have what to resume.
SOONER = """
import sys
from importlib.machinery import PathFinder

class Sooner:
    def find_spec(self, name, path=None, target=None):
        if name != "workflow.training.resume.checkpointing":
            return None
        spec = PathFinder.find_spec(name, path)
        run = spec.loader.exec_module
        spec.loader.exec_module = lambda module: (run(module), setattr(module, "SECONDS_BETWEEN_SAVES", 0.0))
        return spec

sys.meta_path.insert(0, Sooner())
"""


class Call:
    """A Snakemake in a process group of its own, whose output can be watched."""

    def __init__(self, folder: Path, log: Path, *words: str) -> None:
        self.log = log
        call = [sys.executable, "-m", "snakemake", "-s", PROJECT / "Snakefile", "--configfile", "tiny.yaml", *words]
        environment = os.environ | {"PYTHONPATH": str(folder)}
        with self.log.open("w") as said:
            self.process = subprocess.Popen(
                list(map(str, call)), cwd=folder, stdout=said, stderr=said, env=environment, start_new_session=True
            )

    @property
    def output(self) -> str:
        """So far."""
        return self.log.read_text()

    def until(self, condition) -> bool:
        """Wait for it; False if Snakemake has ended before."""
        limit = time.monotonic() + PATIENCE
        while not condition(self.output):
            if self.process.poll() is not None:
                return bool(condition(self.output))
            assert time.monotonic() < limit, self.output[-3000:]
            time.sleep(0.05)
        return True

    def kill(self, number: int = signal.SIGKILL) -> None:
        """A signal to all of its processes; wait until the first of them has ended."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)
        self.process.wait(timeout=600)

    def end(self) -> int:
        """Its status."""
        return self.process.wait(timeout=PATIENCE)


@pytest.fixture
def call(tmp_path):
    """call(folder name, words…) starts a Snakemake there; what still runs in the end is killed."""
    started = []

    def start(name: str, *words: str, config: dict = CONFIG) -> Call:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
        (folder / "sitecustomize.py").write_text(SOONER)
        started.append(Call(folder, tmp_path / f"{len(started)}.txt", "--cores", "2", *words))
        return started[-1]

    yield start
    for each in started:
        each.kill()


def timed(run: Call) -> dict[str, float]:
    """Each rule, in the order of their beginning, and its seconds: from its first job's beginning to its last one's
    end."""
    begun: dict[str, float] = {}
    ended: dict[str, float] = {}
    seen, limit = 0, time.monotonic() + PATIENCE
    while run.process.poll() is None:
        assert time.monotonic() < limit, run.output[-3000:]
        begun |= {name: time.monotonic() for name in BEGUN.findall(run.output) if name not in begun}
        for name in (found := ENDED.findall(run.output))[seen:]:
            ended[name] = time.monotonic()
        seen = len(found)
        time.sleep(0.05)
    return {name: max(ended.get(name, 0.0) - start, 0.0) for name, start in begun.items()}


def finals(folder: Path) -> dict:
    """All that the runs and the table are."""
    todo = plan(CONFIG)
    found = {run.record: results((folder / run.record).parent) for run in todo.runs}
    return found | {"table": (folder / "results/killed/report/transfer.csv").read_bytes()}


def test_killed_at_twenty_random_moments_it_ends_with_the_same_bits(call, tmp_path, monkeypatch, capsys):
    """One to two kills in each rule, at a random part of its time."""
    monkeypatch.chdir(tmp_path)
    whole = call("whole")
    seconds = timed(whole)
    assert whole.end() == 0, whole.output[-3000:]
    draw, rules, hit, began, resumed = random.Random(6), list(seconds), [], time.monotonic(), []
    tries = itertools.count(1)
    while len(hit) < KILLS:
        assert next(tries) <= 3 * KILLS, hit
        rule = rules[len(hit) * len(rules) // KILLS]
        later = set(rules[rules.index(rule) :])
        run = call("killed", "--rerun-incomplete")
        if run.until(lambda said, later=later: later & set(BEGUN.findall(said))):
            time.sleep(draw.random() * seconds[rule])
        if run.process.poll() is None:
            run.kill()
            hit.append((BEGUN.findall(run.output) or ["before any"])[-1])
            resumed += re.findall(r"resumed at iteration (\d+)", run.output)
            assert call("killed", "--unlock").end() == 0
        else:  # all was done before this kill: there is to be more to do
            assert run.end() == 0, run.output[-3000:]
            assert (tmp_path / "killed/results/killed/report/transfer.csv").exists(), run.output[-3000:]
            shutil.rmtree(tmp_path / "killed/results/killed")
    last = call("killed", "--rerun-incomplete")
    assert last.end() == 0, last.output[-3000:]
    resumed += re.findall(r"resumed at iteration (\d+)", last.output)
    assert finals(tmp_path / "killed") == finals(tmp_path / "whole")
    assert any(int(iteration) > 0 for iteration in resumed)
    left = [path.name for path in (tmp_path / "killed/.work").iterdir()]
    assert all(name.endswith(".done") for name in left), "the last call may have had nothing to do"
    left = [path.name for run in plan(CONFIG).runs for path in (tmp_path / "killed" / run.record).parent.glob(".*")]
    assert not [name for name in left if not name.startswith(".resamples")], "a cache of the report, outside of any run"
    with capsys.disabled():
        where = ", ".join(f"{hit.count(rule)} {rule}" for rule in dict.fromkeys(hit))
        print(f"\n{KILLS} kills in {time.monotonic() - began:.0f} s ({where}); resumed at iterations {resumed}")


def test_a_training_that_snakemake_had_not_noted_is_put_back(call, tmp_path, monkeypatch):
    """Killed a moment after a training has ended, Snakemake removes what that has published, and begins it again."""
    [run] = [run for run in plan(CONFIG).runs if run.task == "pretrain"]
    first = call("here", "--no-hooks", "--", run.weights)
    assert first.end() == 0, first.output[-3000:]
    monkeypatch.chdir(tmp_path / "here")
    found = results(Path(run.record).parent)
    for name in found:
        unnoted(str(Path(run.record).with_name(name)))
    second = call("here", "--rerun-incomplete", "--", run.weights)
    assert second.end() == 0, second.output[-3000:]
    assert "this run was finished before; its files are put back, nothing is trained" in second.output
    assert results(Path(run.record).parent) == found
    assert not list(Path(".work").iterdir()), "noted now"
    third = call("here", "--", run.weights)
    assert third.end() == 0
    assert "Nothing to be done" in third.output


def test_ctrl_c_and_preemption_leave_a_training_resumable_and_a_second_snakemake_is_locked_out(call):
    """The signals go to all processes of the group, as a terminal and Slurm send them."""
    config = overlay(CONFIG, {"pretrain": {"epochs": 100, "eval_interval": 0}})
    [target] = [run.weights for run in plan(config).runs if run.task == "pretrain"]
    reached = [0]
    for number in (signal.SIGINT, signal.SIGTERM):
        run = call("here", "--rerun-incomplete", "--", target, config=config)
        assert run.until(lambda said: " ETA " in said), run.output
        second = call("here", "--", target, config=config)
        assert second.end() != 0
        assert "Directory cannot be locked" in second.output
        assert run.process.poll() is None
        run.kill(number)
        assert run.end() != 0
        name = signal.Signals(number).name
        kept = re.search(rf"stopped by {name}: pretrain baseline p0 has kept its state of iteration (\d+)", run.output)
        assert kept, run.output
        assert reached[-1] == 0 or f"resumed at iteration {reached[-1]} of 400" in run.output
        reached.append(int(kept[1]))
    assert reached[0] < reached[1] < reached[2] < 400
