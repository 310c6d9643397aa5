"""Files that are either whole or absent, and the hashes that name them."""

import contextlib
import hashlib
import io
import json
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from workflow.core.errors import UserError

RECORD = "metrics.json"
NETWORK = "network.safetensors"
CHANGING = ("log.txt", "bootstrap.npz", NETWORK)  # next to a record: the log of its job, what the report keeps, and the
# trained network, which can be removed


@contextlib.contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it is flushed to disk and renamed only if the block succeeds."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: str | Path, content: object) -> None:
    """Write `content` as readable JSON, atomically. NaN and infinity are refused (ValueError): they are not JSON."""
    with atomic(path) as temporary:
        temporary.write_text(json.dumps(content, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def open_regular(path: str | Path) -> io.BufferedReader:
    """Open a file for reading; UserError if it is a pipe, which may never answer, or a device, which may never end."""
    mode = Path(path).stat().st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # a folder is refused by the system, in its words
        raise UserError(f"{path}: not a regular file")
    return Path(path).open("rb")


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON number")


def read_json(path: str | Path, *keys: str) -> Any:
    """Read a JSON file; UserError if it is none, or lacks one of the keys."""
    try:
        with open_regular(path) as file:
            content = json.loads(file.read().decode("utf-8"), parse_constant=_refuse_constant)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # also: no UTF-8, a number of thousands of digits
        raise UserError(f"{path}: not valid JSON: {error}") from None
    for key in keys:
        if not isinstance(content, dict) or key not in content:
            raise UserError(f"{path}: it has no {key!r}")
    return content


def lock_file(folder: Path) -> Path:
    """The file next to a folder that the process which writes into the folder holds locked."""
    return folder.with_name(folder.name + ".lock")


def sha256(path: str | Path) -> str:
    """The SHA-256 of a file's bytes, in hex."""
    with open_regular(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content: object) -> str:
    """The SHA-256 of a JSON-like value, in hex; the order of keys does not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def published(folder: Path) -> list[Path]:
    """What a run has published in its folder: without the record, and without what may change later."""
    files = (path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return sorted(path for path in files if path.name not in (RECORD, *CHANGING))


def write_hashed(path: Path, content: dict[str, Any], files: Iterable[Path] = ()) -> None:
    """Write `content` as JSON, atomically, with the hashes of `files`, which lie beside it, and its own (`sha256`)."""
    hashes = {file.name: sha256(file) for file in files}
    write_json(path, hashed({**content, **({"files": hashes} if hashes else {})}))


def hashed(content: dict[str, Any]) -> dict[str, Any]:
    """`content` as it will be read from JSON, with its hash."""
    content = json.loads(json.dumps(content, allow_nan=False))
    return {**content, "sha256": record_digest(content)}


def read_hashed(path: Path, *keys: str, whole: Path | None = None) -> dict[str, Any]:
    """What `write_hashed` wrote; UserError, naming the file, if that or one of `files` is not as was written. `whole`
    is what has to be removed to have it made again, if that is not this file."""
    again = f"remove {whole or path}, and the same command makes it again"
    content = read_json(path, *keys, "sha256")
    if content["sha256"] != record_digest(content):
        raise UserError(f"{path}: damaged: its content is not what was written; {again}")
    for name, value in content.get("files", {}).items():
        file = path.with_name(name)
        if not file.is_file():
            raise UserError(f"{file} is missing; {again}")
        if sha256(file) != value:
            raise UserError(f"{file}: damaged: its content is not what was written; {again}")
    return content


def write_record_file(folder: Path, record: dict[str, Any]) -> None:
    """Write a run's `metrics.json`, last and atomically, with the hashes of all that the run published, and its own."""
    write_hashed(folder / RECORD, record, published(folder))


def record_digest(record: dict[str, Any]) -> str:
    """The digest of a record's content without its own, `sha256`, which must be equal to it."""
    return digest({key: value for key, value in record.items() if key != "sha256"})


def short(content: object) -> str:
    """The first ten hex digits of `digest`: enough for a folder's name."""
    return digest(content)[:10]


def listing(folder: str | Path) -> list[tuple[str, int]]:
    """Relative name and size of every file below a folder, sorted; empty if there is none."""
    files = (path for path in Path(folder).rglob("*") if path.is_file())
    return sorted((path.relative_to(folder).as_posix(), path.stat().st_size) for path in files)
