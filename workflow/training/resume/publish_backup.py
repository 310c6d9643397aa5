"""What a finished run keeps until Snakemake has ended well: `.work/<hash>.done/`, links to its published files.

Snakemake notes a job as done after the job has ended. Killed before that, or in vain waiting for a file of a slow disk,
it removes what was published; the next attempt would train from the beginning. Links take no room.
"""

import contextlib
import os
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from workflow.core.code_hash import edited
from workflow.core.errors import UserError
from workflow.core.files import RECORD, atomic, published, read_json, record_digest, sha256


def sibling(state: Path, what: str) -> Path:
    """The state's neighbour of that kind."""
    return state.with_name(f"{state.name}.{what}")


def backup(state: Path, out: Path) -> None:
    """Link what is published in `out`, if it is whole and the disk knows links."""
    part = sibling(state, "part")
    shutil.rmtree(part, ignore_errors=True)
    shutil.rmtree(sibling(state, "done"), ignore_errors=True)
    if (out / RECORD).exists():
        with contextlib.suppress(OSError):
            part.mkdir()
            for file in [*published(out), out / RECORD]:
                (part / file.name).hardlink_to(file)
            part.rename(sibling(state, "done"))


def restore(state: Path, out: Path, of: dict[str, Any]) -> bool:
    """Whether the run was finished, of the very same: its files are in `out` again then."""
    done = sibling(state, "done")
    if not done.exists():
        return False
    try:
        if not is_of(done, of):
            return False
        for file in [*published(done), done / RECORD]:
            with atomic(out / file.name) as temporary:
                temporary.unlink(missing_ok=True)
                temporary.hardlink_to(file)
            os.utime(out / file.name)  # newer than what it was made of
    except (OSError, UserError, KeyError):
        return False
    clear(state)
    print(f"{state}: this run was finished before; its files are put back, nothing is trained", flush=True)
    return True


def is_published(state: Path, out: Path, of: dict[str, Any]) -> bool:
    """Whether another process has finished the very same run in `out`, while this one waited for it."""
    try:
        if not is_of(out, of):
            return False
    except (OSError, UserError, KeyError):
        return False
    clear(state)
    print(f"{out}: another process has finished this run meanwhile; nothing is trained", flush=True)
    return True


def is_of(folder: Path, of: dict[str, Any]) -> bool:
    """Whether a folder has a finished run of the very same, as it was published."""
    record = read_json(folder / RECORD, "provenance", "files", "sha256")
    if (broken := damaged(folder, record)) is not None:
        print(f"{broken} is not as it was published: the run is made again", flush=True)
        return False
    made = record["provenance"]
    same = all(made.get(key) == value for key, value in of.items() if value is not None)
    return same and not edited(made["code_files"])


def damaged(folder: Path, record: dict[str, Any]) -> Path | None:
    """The first file of a finished run that is missing or another than its record says."""
    if record["sha256"] != record_digest(record):
        return folder / RECORD
    names = {path.name for path in published(folder)} | set(record["files"])
    return next((folder / n for n in sorted(names) if not (folder / n).is_file()
                 or sha256(folder / n) != record["files"].get(n)), None)  # fmt: skip


def clear(state: Path) -> None:
    """Remove a state, all of it or none. What is still open may not go at once from a disk of the network."""
    gone = sibling(state, "gone")
    shutil.rmtree(gone, ignore_errors=True)
    if state.exists():
        state.rename(gone)
        shutil.rmtree(gone, ignore_errors=True)


def remove_backups(states: Iterable[str]) -> None:
    """Remove what was kept, when Snakemake has noted all."""
    for state in states:
        for what in ("done", "gone", "part"):
            shutil.rmtree(sibling(Path(state), what), ignore_errors=True)
