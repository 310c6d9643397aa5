"""What a row of the table is, and the small damages that rows are made of."""

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

Damage = Callable[[Path], Any]


class Case(NamedTuple):
    """`what` is wrong; what is `said` behind `error: ` (`…` stands for anything); `make` damages a good input."""

    what: str
    said: str
    make: Damage


def fits(said: str, line: str) -> bool:
    """Is this the line that was to be said?"""
    return re.fullmatch(".*".join(map(re.escape, said.split("…"))), line) is not None


def write(path: str, content: str | bytes = b"") -> Damage:
    """The file with this content."""

    def damage(root: Path) -> None:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content if isinstance(content, bytes) else content.encode())

    return damage


def append(path: str, text: str) -> Damage:
    """More at its end."""
    return lambda root: (root / path).write_text((root / path).read_text() + text)


def edit(path: str, pattern: str, replacement: str, times: int = 1) -> Damage:
    """Replace the first match in a file, or so many."""

    def damage(root: Path) -> None:
        text, count = re.subn(pattern, replacement, (root / path).read_text(), count=times, flags=re.DOTALL)
        assert count == times
        (root / path).write_text(text)

    return damage


def edit_json(path: str, change: Callable[[Any], Any]) -> Damage:
    """Change what a JSON file holds."""

    def damage(root: Path) -> None:
        content = json.loads((root / path).read_text())
        change(content)
        (root / path).write_text(json.dumps(content))

    return damage


def cut(path: str, behind: int) -> Damage:
    """A file that broke off: without so many of its last bytes."""
    return lambda root: (root / path).write_bytes((root / path).read_bytes()[:-behind])


def circle(path: str) -> Damage:
    """A link to itself in the place of a file or folder."""

    def damage(root: Path) -> None:
        (root / path).unlink(missing_ok=True)
        (root / path).symlink_to(Path(path).name)

    return damage


def read_only(path: str) -> Damage:
    """A folder on a disk that nobody can write to, root neither. `writable` undoes it."""

    def damage(root: Path) -> None:
        folder = (root / path).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        for options in (["--bind", folder], ["-o", "remount,bind,ro"]):
            if subprocess.run(["mount", *options, folder], capture_output=True, check=False).returncode:
                pytest.skip("a read-only disk needs the right to mount")

    return damage


def writable(root: Path) -> None:
    """All below a folder again."""
    mounts = [line.split(" ")[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    for mount in mounts:
        if Path(mount).is_relative_to(root.resolve()):
            subprocess.run(["umount", "-l", mount], check=True)


def several(*damages: Damage) -> Damage:
    """One after the other."""
    return lambda root: [damage(root) for damage in damages]
