"""What `python -m workflow status` says of each job: one test for each state, a job of its own where one must run."""

import contextlib
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.demo import demo
from tests.test_doors import CALL, HEAVY
from tests.waiting import read_line
from workflow.config.loading import load
from workflow.core.files import write_json
from workflow.planning.plan import plan
from workflow.planning.progress import Progress
from workflow.reporting.status import Status, running, statuses
from workflow.reporting.status_screen import encodable, screen

HOUSE = Path(__file__).parents[3]
HOLDING = """
import fcntl, sys, time
from pathlib import Path
from workflow.core.files import lock_file
file = lock_file(Path(sys.argv[1])).open("w")
fcntl.flock(file, fcntl.LOCK_EX)
print("locked", flush=True)
time.sleep(600)
"""


@pytest.fixture
def small(experiment):
    """A finished experiment of baseline and cutmix, and no more than that."""
    made = experiment()
    made.plan.checks, made.plan.artifacts = {}, []
    return made


@pytest.fixture
def holding():
    """Call it with a folder: a process that works in it."""
    with contextlib.ExitStack() as stack:

        def start(folder):
            Path(folder).mkdir(parents=True, exist_ok=True)
            call = [sys.executable, "-c", HOLDING, str(folder)]
            process = stack.enter_context(subprocess.Popen(call, stdout=subprocess.PIPE, text=True))
            stack.callback(process.kill)
            assert read_line(process, "locked")
            return process

        yield start


def status_of(small, run):
    """The state and the detail of a planned run."""
    (found,) = [
        one for one in statuses(small.plan) if (one.group, one.name) == (run.task, f"{run.backbone} {run.seed_name}")
    ]
    return found.state, found.detail


def test_what_has_its_record_is_done_and_what_was_not_begun_waits(small):
    assert {one.state for one in statuses(small.plan)} == {"done"}
    run = small.run("ssd_voc", "cutmix")
    small.remove(run)
    assert status_of(small, run) == ("waiting", "")


def test_a_failed_run_has_its_reason(small):
    run = small.run("ssd_voc", "cutmix")
    small.fail(run, "2026-11-30 02:40 UserError: ssd_voc cutmix p0s0: the loss is not\n finite")
    assert status_of(small, run) == ("failed", "the loss is not finite")


def test_a_running_run_is_told_from_a_killed_one(small, holding):
    run = small.run("ssd_voc", "cutmix")
    small.remove(run)
    process = holding(run.state)
    assert status_of(small, run) == ("running", "starting")
    Progress(120, 300, False, 12.34, 200.0, time.time()).write(Path(run.state))
    state, detail = status_of(small, run)
    assert state == "running"
    assert re.fullmatch(r"120/300   40 %  12\.3 images/s  ETA 0:03:(20|1\d)", detail)
    process.kill()
    process.wait()
    assert status_of(small, run) == ("stopped", "near iteration 120 of 300")


def test_a_run_that_tries_learning_rates_tells_how_far_the_one_is(small, holding):
    run = small.run("ssd_voc", "cutmix")
    small.remove(run)
    holding(run.state)
    (Path(run.state) / "lr-1").mkdir()
    Progress(120, 300, False, 12.34, 200.0, time.time()).write(Path(run.state) / "lr-1")
    assert status_of(small, run)[1].startswith("120/300   40 %")


def test_a_run_that_is_repeated_runs_whatever_an_earlier_one_has_left(small, holding):
    run = small.run("ssd_voc", "cutmix")
    holding(run.state)
    assert status_of(small, run)[0] == "running"


def test_progress_in_words():
    def words(now, **changes):
        return running(Progress(**{**vars(Progress(5000, 20000, False, 700.0, 3725.0, 100.0)), **changes}), now)

    assert words(105.0) == "5,000/20,000   25 %  700 images/s  ETA 1:02:00"
    assert words(159.0, seconds_left=30.0).endswith("ETA 0:00:00")
    assert words(900.0, evaluating=True) == "5,000/20,000   25 %  evaluating"
    assert words(400.0) == "5,000/20,000   25 %  no progress for 0:05:00"
    assert words(101.0, iteration=0, images_per_second=0.0) == "0/20,000    0 %"


def test_a_record_of_another_recipe_is_outdated_and_so_is_what_hangs_on_it(small):
    small.recipe(small.run("pretrain", "cutmix"), lr=0.2)
    small.recipe(small.run("ssd_voc", "baseline"), lr=0.1)
    found = {(one.group, one.name): (one.state, one.detail) for one in statuses(small.plan)}
    assert found["ssd_voc", "baseline p0s0"] == ("outdated", "recipe.lr 0.1, now 0.01")
    assert found["pretrain", "cutmix p0"] == ("outdated", "recipe.lr 0.2, now 0.1")
    why = "the pretraining of its backbone: recipe.lr 0.2, now 0.1"
    assert found["nic_coco", "cutmix p0s0"] == ("outdated", why)
    assert found["nic_coco", "baseline p0s0"] == ("done", "")


def test_a_run_of_another_backbone_is_outdated(small):
    run, other = small.run("ssd_voc", "cutmix"), small.run("nic_coco", "cutmix")
    small.edit(run, provenance={"backbone": "0123456789abcdef"})
    state, detail = status_of(small, run)
    assert (state, detail[:25]) == ("outdated", "backbone 0123456789, now ")
    assert status_of(small, other) == ("done", "")
    small.remove(small.run("pretrain", "cutmix"))
    assert status_of(small, other) == ("outdated", "its backbone is missing")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"provenance": 1}', "\0"])
def test_a_record_that_cannot_be_read_is_outdated(small, content):
    run = small.run("ssd_voc", "cutmix")
    Path(run.record).write_text(content)
    state, detail = status_of(small, run)
    assert state == "outdated"
    assert run.record in detail


@pytest.mark.parametrize("content", ["", "[]", '{"iteration": 3}'])
def test_a_progress_that_cannot_be_read_is_none(small, content):
    run = small.run("ssd_voc", "cutmix")
    small.remove(run)
    Path(run.state).mkdir(parents=True)
    (Path(run.state) / "progress.json").write_text(content)
    assert status_of(small, run) == ("waiting", "")


def test_data_checks_and_features(tmp_path, holding, monkeypatch):
    todo = plan(demo())
    checks = [Path(check) for check in todo.checks.values()]
    write_json(checks[0], {})
    checks[1].with_suffix(".check.log").write_text("12 images\nerror: voc: 2 errors\n  one\n")
    folder = Path(todo.artifacts[0].artifact)
    holding(folder)
    write_json(Path(todo.artifacts[1].artifact) / "index.json", {})
    found = {(one.group, one.name): (one.state, one.detail) for one in statuses(todo)}
    assert [found["data", name] for name in todo.checks] == [("done", ""), ("failed", "voc: 2 errors"), ("waiting", "")]
    assert [state for (group, _), (state, _) in found.items() if group == "features"] == [
        "running",
        "done",
        *["waiting"] * 2,
    ]


FOUND = [
    *(Status("ssd_voc", f"row{n} p0s0", "done") for n in range(3)),
    Status("ssd_voc", "mine p0s0", "running", "5,000/20,000   25 %  700 images/s  ETA 1:02:00"),
    Status("a_task_of_a_long_name_" * 4, "mine p0s0", "failed", "a reason of many words " * 40 + "\x1b[31m"),
    *(Status("nic_coco", f"row{n} p0s0", "outdated", "recipe.lr 0.1, now 0.2") for n in range(30)),
    Status("nic_coco", "mine p0s0", "stopped", "near iteration 5 of 9"),
]


def shown(small, width, color=False, cells="#-"):
    """The screen of FOUND."""
    small.plan.tasks = ["ssd_voc", "nic_coco"]
    return list(screen(small.plan, FOUND, width, color, cells))


@pytest.mark.parametrize("width", [40, 80, 200])
def test_a_terminal_gets_a_screen_that_fits(small, width):
    lines = shown(small, width)
    assert max(map(len, lines)) <= max(width, 72)
    assert len(lines) < 45
    assert "  and 20 more" in lines


def test_the_table_counts_each_state(small):
    lines = shown(small, 80)
    assert lines[0].startswith("small: 3 of 35 runs done  ")
    assert lines[2].split() == ["done", "running", "failed", "stopped", "waiting", "outdated"]
    assert lines[3].split() == ["ssd_voc", "#########---", "3/4", "1"]
    starts = [lines[2].index(state) + len(state) for state in ("done", "running")]
    assert [lines[3][:end].split()[-1] for end in starts] == ["3/4", "1"]


def test_a_pipe_gets_everything_without_escapes(small):
    lines = shown(small, None)
    assert sum("recipe.lr 0.1, now 0.2" in line for line in lines) == 30
    assert ("a reason of many words " * 40).strip() in next(line for line in lines if "a reason" in line)
    assert not any("\x1b" in line for line in lines)


def test_colors_are_of_states(small):
    lines = shown(small, 80, color=True)
    assert any(line == "\x1b[31mfailed\x1b[0m" for line in lines)


def on_terminal(tmp_path, **environment) -> str:
    """What the command prints on a terminal of the demo's config."""
    parent, child = pty.openpty()
    call = [sys.executable, "-m", "workflow", "status"]
    known = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    subprocess.run(call, stdout=child, env={**known, "TERM": "xterm", **environment}, check=True)
    os.close(child)
    found = b""
    with contextlib.suppress(OSError):  # the end of a terminal
        while part := os.read(parent, 65536):
            found += part
    os.close(parent)
    return found.decode()


def test_a_terminal_has_colors_unless_they_are_unwanted(tmp_path):
    write_json(next(iter(plan(load(HOUSE / "config/demo.yaml")).checks.values())), {})
    assert "\x1b[32m" in on_terminal(tmp_path)
    assert "\x1b" not in on_terminal(tmp_path, NO_COLOR="1")
    assert "data" in on_terminal(tmp_path, PYTHONIOENCODING="ascii")


def test_what_a_terminal_has_no_character_for_is_replaced():
    assert encodable("robustness… Bäck", "ascii") == "robustness~ B?ck"
    assert encodable("robustness… Bäck", "latin-1") == "robustness~ Bäck"


def test_it_watches_until_ctrl_c_and_ends_well():
    call = [sys.executable, "-m", "workflow", "status", "--watch", "0.1", "--config", str(HOUSE / "config/tiny.yaml")]
    with subprocess.Popen(call, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert [read_line(process, "tiny: 0 of") for _ in range(2)]
        process.send_signal(signal.SIGINT)
        assert process.communicate()[1] == ""
    assert process.returncode == 0


def test_it_needs_no_heavy_library():
    call = CALL.replace('"--help"', "").format(door="workflow status", heavy=HEAVY)
    call += f"\nprint(sorted({HEAVY} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", call], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("\n[]\n"), done.stdout
    assert "pretrain" in done.stdout


def test_what_is_no_config_is_one_line():
    call = [sys.executable, "-m", "workflow", "status", "--config", "none.yaml"]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: none\.yaml: .*\n", done.stderr)
