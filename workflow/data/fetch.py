"""Bring the official archives of a data set to its root: download or read them, verify, unpack, count, put in place.

What is there already is never fetched again, and a set that is not the official one is left alone. All work is done in
ROOT/.fetch, so that nothing half-done gets its name; ROOT/fetched.json says what came from where."""

import argparse
import dataclasses
import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from workflow.data import unpack
from workflow.data.download import PATIENCE, Patience, download, need_room
from workflow.training.errors import UserError, door
from workflow.training.files import read_json, write_json

SOURCES = Path(__file__).with_name("sources.yaml")
REGISTERED = (
    "ILSVRC2012_img_train.tar, ILSVRC2012_img_val.tar and ILSVRC2012_devkit_t12.tar.gz; "
    "they are given to registered users only: https://image-net.org/download"
)
OWN = "none is published; the sha256 is our own, recorded at first download"


@dataclasses.dataclass(frozen=True)
class Source:
    """One archive, as sources.yaml describes it."""

    file: str
    url: str | None = None
    bytes: int | None = None
    md5: str | None = None
    sha256: str | None = None
    published_by: str | None = None
    inside: str = ""
    into: str = ""
    only: list[str] | None = None
    split: str | None = None
    layout: str | None = None
    devkit: dict[str, Any] | None = None
    gives: dict[str, int] = dataclasses.field(default_factory=dict)


def official(name: str) -> list[Source]:
    """The archives of a set (imagenet, voc or coco)."""
    return [Source(**entry) for entry in yaml.safe_load(SOURCES.read_text(encoding="utf-8"))[name]]


def counts(folder: Path, source: Source) -> dict[str, int]:
    """What is in `folder` of all that the archive gives: pattern -> files, or lines of a .txt."""
    return {
        pattern: sum(
            len(path.read_text().splitlines()) if path.suffix == ".txt" else 1 for path in folder.glob(pattern)
        )
        for pattern in source.gives
    }


def fetch(
    name: str,
    section: dict[str, Any],
    root: Path,
    sources: Sequence[Source] | None = None,
    patience: Patience = PATIENCE,
) -> dict[str, Any]:
    """Bring to `root` what is missing of a set; returns the record: archive -> where it came from, or "in place".

    `section` is the set's section of the config; its `from` is a folder with the archives, or an address below which
    they lie. UserError if one cannot be had or is not what it must be.
    """
    if "root" not in section:
        raise UserError(f"data.{name}: it has no root; synthetic data are drawn, not fetched")
    sources = [s for s in sources or official(name) if s.split in (None, section.get("split"))]
    for source in sources:
        _put_in_place(root, source)
    there = [(source, counts(root, source)) for source in sources]
    missing = [source for source, found in there if not any(found.values())]
    strange = [line for source, found in there if any(found.values()) for line in _strange(source, found)]
    if strange:
        print(f"{root}: not the official set, so nothing is fetched: {'; '.join(strange)}", flush=True)
        missing = []
    for source in missing:
        _bring(name, source, section.get("from"), root, patience)
    shutil.rmtree(root / ".fetch", ignore_errors=True)
    fetched = _fetched(root)
    return {"root": str(root), "archives": {s.file: fetched.get(s.file, "in place") for s in sources}}


def _strange(source: Source, found: dict[str, int]) -> list[str]:
    """What is there in other numbers than the archive gives."""
    return [f"{key}: {found[key]}, not {right}" for key, right in source.gives.items() if found[key] != right]


def _fetched(root: Path) -> dict[str, Any]:
    path = root / "fetched.json"
    return read_json(path) if path.exists() else {}


def _bring(name: str, source: Source, origin: str | None, root: Path, patience: Patience) -> None:
    """One archive, all the way."""
    work = root / ".fetch"
    work.mkdir(parents=True, exist_ok=True)
    archive, where = _obtain(name, source, origin, work, patience)
    hashes = _verify(archive, source, where)
    part = work / f"{source.file}.unpacking"
    need_room(work, archive.stat().st_size, f"unpacking {source.file}")
    if source.layout == "classes":
        unpack.unpack_classes(archive, part)
    else:
        shutil.rmtree(part, ignore_errors=True)
        _unpack(name, source, origin, archive, part, patience)
    if strange := _strange(source, counts(part, source)):
        shutil.rmtree(part)
        raise UserError(f"{where}: the archive does not hold what it should: {'; '.join(strange)}")
    entry = {"from": where, "bytes": archive.stat().st_size, **hashes, "published_by": source.published_by or OWN}
    write_json(root / "fetched.json", _fetched(root) | {source.file: entry})
    part.rename(work / f"{source.file}.unpacked")
    _put_in_place(root, source)
    if archive.parent == work:
        archive.unlink()


def _unpack(name: str, source: Source, origin: str | None, archive: Path, part: Path, patience: Patience) -> None:
    if source.layout == "labelled":
        devkit = Source(**source.devkit)
        labels, where = _obtain(name, devkit, origin, part.parent, patience)
        _verify(labels, devkit, where)
        unpack.unpack_labelled(archive, part, labels)
    else:
        unpack.unpack(archive, part / source.into, source.inside, source.only)


def _obtain(name: str, source: Source, origin: str | None, work: Path, patience: Patience) -> tuple[Path, str]:
    """The archive, and the address or path that it came from."""
    if origin is None and source.url is None:
        raise UserError(f"data.{name}.from: missing: name the folder here, beside `root`, that holds {REGISTERED}")
    if origin is None or "://" in origin:
        url = source.url if origin is None else f"{origin.rstrip('/')}/{source.file}"
        download(url, work / source.file, source.bytes, patience)
        return work / source.file, url
    path = Path(origin) / source.file
    if not path.is_file():
        holds = f"must hold {REGISTERED}" if source.url is None else "names this folder"
        raise UserError(f"{path}: the archive is missing; data.{name}.from {holds}")
    return path, str(path)


def _verify(archive: Path, source: Source, where: str) -> dict[str, str]:
    """The archive's hashes; UserError, and a downloaded one is removed, if they are not the published ones."""
    hashes = {"sha256": hashlib.sha256()} | ({"md5": hashlib.md5(usedforsecurity=False)} if source.md5 else {})
    with (
        archive.open("rb") as file,
        tqdm(desc=f"verifying {archive.name}", total=archive.stat().st_size, unit="B", unit_scale=True) as bar,
    ):
        while chunk := file.read(1 << 20):
            for each in hashes.values():
                each.update(chunk)
            bar.update(len(chunk))
    found = {kind: each.hexdigest() for kind, each in hashes.items()}
    for kind in ("md5", "sha256"):
        right = getattr(source, kind)
        if right and found[kind] != right:
            if archive.parent.name == ".fetch":
                archive.unlink()
            published = f"{source.published_by} publishes {right}"
            raise UserError(f"{where}: not the official file: its {kind} is {found[kind]}, {published}")
    return found


def _put_in_place(root: Path, source: Source) -> None:
    """Move what was unpacked to its place; also what a process that was stopped half-way has left."""
    unpacked = root / ".fetch" / f"{source.file}.unpacked"
    if unpacked.is_dir():
        _merge(unpacked, root)


def _merge(folder: Path, target: Path) -> None:
    """Move all that is in `folder` into `target`, folder by folder; no file is replaced by another one."""
    for entry in sorted(folder.iterdir()):
        place = target / entry.name
        if entry.is_dir() and place.is_dir():
            _merge(entry, place)
        elif not place.exists():
            entry.rename(place)
        elif entry.is_dir() or not place.is_file() or entry.read_bytes() != place.read_bytes():
            raise UserError(f"{place}: exists and is not that of the archive; move it away, then try again")
        else:
            entry.unlink()
    folder.rmdir()


@door
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fetch the official archives of a data set; what is there stays.")
    parser.add_argument("set", choices=("imagenet", "voc", "coco"))
    parser.add_argument("--section", required=True, type=json.loads, help="the set's section of the config, JSON")
    parser.add_argument("--root", required=True, type=Path)
    parser.add_argument("--out", type=Path, help="where to write the record; without it, it is printed")
    args = parser.parse_args()
    try:
        record = fetch(args.set, args.section, args.root)
    except OSError as error:
        raise UserError(f"{error.filename or args.root}: {error.strerror or error}") from None
    if args.out:
        write_json(args.out, record)
    else:
        print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
