"""Snakemake as a user calls it, on this checkout or on one elsewhere."""

import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.waiting import read_line

PROJECT = Path(__file__).parent.parent
# Most of a dry-run's time is the import of Snakemake: a process that has done it is forked for each call.
SERVER = """
import json, os, sys
from snakemake.cli import main
for line in sys.stdin:
    folder, words, environment, *files = json.loads(line)
    child = os.fork()
    if child == 0:
        os.chdir(folder)
        os.environ.clear()
        os.environ.update(environment)
        for number, file in enumerate(["/dev/null", *files]):
            os.dup2(os.open(file, os.O_RDWR), number)
        sys.argv = ["snakemake", *words]
        sys.exit(main())
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


def link(source: str, target: str) -> None:
    """A copy for `shutil.copytree` that takes no space where it can be had."""
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def copy_project(folder: Path) -> Path:
    """A copy of what Snakemake needs of the project, whose code may be edited."""
    rooms = [file.parent.name for file in PROJECT.glob("*/__init__.py")]
    for name in (*rooms, "config"):
        shutil.copytree(PROJECT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("Snakefile", "environment.yml"):
        shutil.copy(PROJECT / name, folder)
    return folder


@functools.cache
def server(python: str, path: str) -> subprocess.Popen:
    """The process that is forked, with `path` as PYTHONPATH; it ends with this one."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    return subprocess.Popen([python, "-c", SERVER], **pipes, text=True, env=os.environ | {"PYTHONPATH": path})


def caller(folder: Path, house: Path = PROJECT, python: str = sys.executable):
    """Call the real Snakemake on the Snakefile of `house`, in `folder`; (exit status, all that it printed)."""

    def call(*arguments: str, timeout: float = 600) -> tuple[int, str]:
        process = server(python, os.environ.get("PYTHONPATH", ""))
        words = ["-s", str(house / "Snakefile"), *arguments]
        with tempfile.NamedTemporaryFile() as out, tempfile.NamedTemporaryFile() as err:
            asked = [str(folder), words, dict(os.environ), out.name, err.name]
            process.stdin.write(json.dumps(asked) + "\n")
            process.stdin.flush()
            status = int(read_line(process, "", timeout))
            return status, (out.read() + err.read()).decode()

    return call
