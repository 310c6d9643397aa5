"""What a check remembers of images that it has looked at, so that unchanged ones are not decoded again.

One SQLite file a root: path, size, mtime_ns, ctime_ns (what replaces a file can have its mtime, but not its ctime) ->
result. Faulty images are not remembered. A file that cannot be read is thrown away with a warning; where it cannot be
written, the check goes on without it."""

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from workflow.core.escaping import say

FORMAT = 3  # also another where images are read by another function
COLUMNS = "path TEXT PRIMARY KEY, size, mtime, ctime, crc, width, height, oddity"
State = tuple[int, int, int]  # of a file: size, mtime_ns, ctime_ns


class ImageInfo(NamedTuple):
    """What one image file is: bytes and their CRC-32, width and height in px, and what is odd about it, if anything."""

    bytes: int
    crc: int
    width: int
    height: int
    oddity: str = ""


class ImageCache:
    """What is remembered of the images below `root`; `file` None: nothing is, and nothing is kept."""

    def __init__(self, file: Path | None, root: Path) -> None:
        self.file, self.root = file, os.path.join(root, "")  # noqa: PTH118  (the trailing slash)
        self.seen: dict[str, tuple] = {}
        if file and file.exists():
            self._read()

    def _read(self) -> None:
        try:
            with self._open() as connection:
                if connection.execute("PRAGMA user_version").fetchone() == (FORMAT,):
                    self.seen = {row[0]: row[1:] for row in connection.execute("SELECT * FROM seen")}
        except sqlite3.OperationalError as error:
            self._warn(error)
        except sqlite3.DatabaseError as error:
            say(f"warning: {self.file}: thrown away, every image is looked at again: {error}")
            self.file.unlink()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.file, timeout=60)

    def _warn(self, error: Exception) -> None:
        say(f"warning: {self.file}: what was checked cannot be remembered: {error}")
        self.file = None

    def split(self, paths: Iterable[str]) -> Iterator[tuple[str, State, ImageInfo | None]]:
        """(path, its state, what is remembered of it) for each path, in their order."""
        stats = _stats(paths)
        for path, stat in stats.items():
            row = self.seen.get(path.removeprefix(self.root))
            yield path, stat, ImageInfo(row[0], *row[3:]) if row and row[:3] == stat else None

    def keep(self, found: Iterable[tuple[str, State, ImageInfo]]) -> None:
        """Remember images, on disk at once."""
        rows = [(p.removeprefix(self.root), *stat, x.crc, x.width, x.height, x.oddity) for p, stat, x in found]
        if not self.file or not rows:
            return
        try:
            self.file.parent.mkdir(parents=True, exist_ok=True)
            self.file.touch()  # by the umask; SQLite's own files cannot be written by a group
            with self._open() as connection:
                if connection.execute("PRAGMA user_version").fetchone() != (FORMAT,):
                    connection.execute("DROP TABLE IF EXISTS seen")
                    connection.execute(f"PRAGMA user_version = {FORMAT}")
                connection.execute(f"CREATE TABLE IF NOT EXISTS seen ({COLUMNS}) WITHOUT ROWID")
                connection.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            connection.close()
        except (sqlite3.DatabaseError, OSError) as error:
            self._warn(error)


def _stats(paths: Iterable[str]) -> dict[str, State]:
    """path -> its state; one listing a folder is much faster than a look at each path."""
    found: dict[str, State] = dict.fromkeys(paths, (-1, -1, -1))
    for folder in {path.rpartition("/")[0] for path in found}:
        with contextlib.suppress(OSError), os.scandir(folder or ".") as entries:
            for entry in entries:
                path = f"{folder}/{entry.name}" if folder else entry.name
                if path in found:
                    with contextlib.suppress(OSError):  # a link that leads nowhere
                        stat = entry.stat()
                        found[path] = stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns
    return found
