"""What `make` says on a machine that lacks something: one line each, and no environment that is half there."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.planning.planned_run import CHECKED

PROJECT = Path(__file__).parents[1]
HOOK = "workflow/snakemake_cache.pth"
NOWHERE = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_NO_CACHE_DIR": "1", "PIP_FIND_LINKS": ""}


@pytest.fixture
def house(tmp_path):
    """A checkout in a folder with a blank and an umlaut, of all that the environment is made of."""
    folder = tmp_path / "Bäck bone"
    folder.mkdir()
    (folder / "workflow").mkdir()
    for name in ("Makefile", "requirements.lock", HOOK):
        shutil.copy(PROJECT / name, folder / name)
    return folder


def make(house, *arguments, **env):
    """Status, and the lines that make and its programs write but for make's own two on how it ended."""
    call = ["make", "--no-print-directory", *arguments]
    done = subprocess.run(call, cwd=house, capture_output=True, text=True, env=os.environ | NOWHERE | env, timeout=300)
    lines = (done.stdout + done.stderr).splitlines()
    return done.returncode, [line for line in lines if not line.startswith("make:") and not line.startswith("make[")]


def python(house, body):
    """A program that answers as Python does, but for what `body` catches."""
    path = house / "python"
    path.write_text(f'#!/bin/sh\n{body}\nexec "{sys.executable}" "$@"\n')
    path.chmod(0o755)
    return f"PYTHON={path}"


def test_a_python_that_is_too_old_is_named_with_what_is_needed(house):
    status, lines = make(house, "test", python(house, "exit 1"))
    assert status
    assert len(lines) == 1
    assert lines[0].startswith("error: Python 3.11, 3.12 or 3.13 is needed")
    assert str(house / "python") in lines[0]


def test_a_machine_without_any_python(house):
    tools = house / "bin"
    tools.mkdir()
    for name in ("make", "sh", "cmp", "cat", "rm", "sed", "tail"):
        (tools / name).symlink_to(shutil.which(name))
    status, lines = make(house, "test", PATH=str(tools))
    assert status
    assert len(lines) == 1
    assert "python3 is not one" in lines[0]


def test_a_python_without_venv_names_the_package(house):
    status, lines = make(
        house, "test", python(house, '[ "$1 $2" = "-m venv" ] && { echo "ensurepip is not"; exit 1; }')
    )
    assert status
    assert len(lines) == 1
    assert "python3-venv" in lines[0]
    assert not (house / ".venv").exists()


def test_without_a_network_the_first_small_package_says_it(house):
    status, lines = make(house, "test", f"PYTHON={sys.executable}")
    assert status
    assert len(lines) == 1
    assert lines[0].startswith("error: no package could be installed: ERROR: ")
    assert "setuptools" in lines[0]


@pytest.mark.parametrize("change", ["nothing", "moved", "lock", "python is gone"])
def test_the_environment_is_made_again_after_a_move_a_new_lock_or_the_loss_of_its_python(house, change):
    venv = house / ".venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").symlink_to(sys.executable)
    (venv / "bin/pytest").write_text("#!/bin/sh\necho tests run\n")
    (venv / "bin/pytest").chmod(0o755)
    (venv / "made-of").write_text(f"{house}\n" + (house / "requirements.lock").read_text() + (house / HOOK).read_text())
    if change == "moved":
        house = house.rename(house.with_name("elsewhere"))
    if change == "lock":
        (house / "requirements.lock").write_text("six==1.17.0\n")
    if change == "python is gone":
        (venv / "bin/python").unlink()
    status, lines = make(house, "test", python(house, '[ "$1 $2" = "-m venv" ] && exit 1'))
    if change == "nothing":
        assert status == 0
        assert lines[-1] == "tests run"
    else:
        assert status
        assert "python3-venv" in lines[-1]


def test_ci_checks_the_data_by_today_s_file():
    """Nothing else runs .ci/run: a renamed file would be seen by CI only."""
    (target,) = re.findall(r"^\.venv/bin/snakemake --cores all (\S+)$", (PROJECT / ".ci/run").read_text(), re.M)
    assert target == CHECKED
