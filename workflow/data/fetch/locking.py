"""One fetching of a folder at a time."""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def one_at_a_time(root: Path) -> Iterator[None]:
    """For this process only: two sets of a config may have one root, and each finds what the other has fetched."""
    root.parent.mkdir(parents=True, exist_ok=True)
    path = root.parent / f".{root.name}.fetch.lock"
    while True:
        with path.open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if path.exists() and path.stat().st_ino == os.fstat(file.fileno()).st_ino:
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return
        # otherwise it was another's, who has removed it
