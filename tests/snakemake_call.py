"""Snakemake as a user calls it, on this checkout or on one elsewhere."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parent.parent


def link(source: str, target: str) -> None:
    """A copy for `shutil.copytree` that takes no space where it can be had."""
    try:
        os.link(source, target)
    except OSError:  # another disk
        shutil.copy2(source, target)


def caller(folder: Path, house: Path = PROJECT, python: str = sys.executable):
    """Call the real Snakemake on the Snakefile of `house`, in `folder`; (exit status, all that it printed)."""

    def call(*arguments: str, timeout: float = 600) -> tuple[int, str]:
        command = [python, "-m", "snakemake", "-s", str(house / "Snakefile"), *arguments]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout, check=False)
        return done.returncode, done.stdout + done.stderr

    return call
