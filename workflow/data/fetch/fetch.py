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

from workflow.core.errors import UserError, cli_entry_point
from workflow.core.escaping import say
from workflow.core.files import read_json, write_json
from workflow.data.fetch import unpack
from workflow.data.fetch.download import PATIENCE, RetryPolicy, download, need_room
from workflow.data.fetch.locking import one_at_a_time
from workflow.data.validation.errors import os_errors_as_user_errors
from workflow.data.validation.unused import is_leftover
from workflow.registry import datasets

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
    where: dict[str, str] = dataclasses.field(default_factory=dict)
    layout: str | None = None
    devkit: dict[str, Any] | None = None
    gives: dict[str, int] = dataclasses.field(default_factory=dict)


def official(layout: str) -> list[Source]:
    """The archives of a layout; none where no set is published in it."""
    return [Source(**entry) for entry in yaml.safe_load(SOURCES.read_text(encoding="utf-8")).get(layout, [])]


def counts(folder: Path, source: Source) -> dict[str, int]:
    """What is in `folder` of all that the archive gives: pattern -> files, or lines of a .txt."""
    return {
        pattern: sum(
            len(path.read_text().splitlines()) if path.suffix == ".txt" else 1
            for path in folder.glob(pattern)
            if not is_leftover(path.name)
        )
        for pattern in source.gives
    }


def is_incomplete(name: str, section: dict[str, Any], root: Path) -> bool:
    """Is there an archive of the set of which nothing lies below `root`? A look for one file each: quick."""
    return any(
        not any(next(root.glob(pattern), None) for pattern in source.gives)
        for source in _needed(official(_layout(name, section)), section)
    )


def fetch_count(name: str, section: dict[str, Any], root: Path, record: Path) -> int:
    """How many times the set was fetched by its last record, and once more if there is none or something is missing.
    A count, because Snakemake compares it with that of the last run: after a second fetch it must not fall back."""
    return times(record, not is_incomplete(name, section, root))


def times(record: Path, complete: bool) -> int:
    """The count of a record: of the last fetching if all is there, and else of the next one."""
    before: int = read_json(record, "times")["times"] if record.exists() else 0
    return before if before and complete else before + 1


def fetch(
    name: str,
    section: dict[str, Any],
    root: Path,
    sources: Sequence[Source] | None = None,
    patience: RetryPolicy = PATIENCE,
    check: Path | None = None,
) -> dict[str, Any]:
    """Bring to `root` what is missing of a set; returns the record: archive -> where it came from, "in place" or "not
    fetched".

    `name` and `section` are those of the config; its `from` is a folder with the archives, or an address below which
    they lie. `check`: the set's CHECK.json, which is removed before anything is put in place: it knows nothing of it.
    UserError if an archive cannot be had or is not what it must be.
    """
    if not isinstance(section, dict) or "root" not in section:
        raise UserError(f"data.{name}: it has no root; synthetic data are drawn, not fetched")
    sources, origin = _needed(sources or official(_layout(name, section)), section), section.get("source")
    for source in sources:
        _put_in_place(root, source, check)
    there = [(source, counts(root, source)) for source in sources]
    missing = [source for source, found in there if not any(found.values())]
    if len(missing) == len(sources) and (others := _others(root, sources)):
        say(f"{root}: holds {others[0]} and nothing of the official set, so nothing is fetched")
        return _record(root, sources, [source.file for source in missing])
    strange = [line for source, found in there if any(found.values()) for line in _strange(source, found)]
    if strange:
        say(f"{root}: not the official set, so nothing is fetched: {'; '.join(strange)}")
        return _record(root, sources, [source.file for source in missing])
    _need_archives(name, missing, origin)
    for source in missing:
        _bring(name, source, origin, root, patience)
        _put_in_place(root, source, check)
    shutil.rmtree(root / ".fetch", ignore_errors=True)
    return _record(root, sources)


def _layout(name: str, section: dict[str, Any]) -> str:
    """The layout of data set `name` of a config."""
    layout = section.get("layout", name)
    if layout not in datasets():
        raise UserError(f"data.{name}.layout: must be {' or '.join(datasets())}, not {layout}")
    return layout


def _needed(sources: Sequence[Source], section: dict[str, Any]) -> list[Source]:
    """Those that the config asks for."""
    return [source for source in sources if all(section.get(key) == value for key, value in source.where.items())]


def _record(root: Path, sources: Sequence[Source], lacking: Sequence[str] = ()) -> dict[str, Any]:
    """Where each archive came from, as far as known; `lacking`: those of which nothing is there."""
    known = {source.file: "in place" for source in sources} | _fetched(root) | dict.fromkeys(lacking, "not fetched")
    return {"root": str(root), "archives": {source.file: known[source.file] for source in sources}}


def _strange(source: Source, found: dict[str, int]) -> list[str]:
    """What is there in other numbers than the archive gives."""
    return [f"{key}: {found[key]}, not {right}" for key, right in source.gives.items() if found[key] != right]


def _fetched(root: Path) -> dict[str, Any]:
    path = root / "fetched.json"
    return read_json(path) if path.exists() else {}


def _others(root: Path, sources: Sequence[Source]) -> list[str]:
    """The folders of `root` that no archive gives: it is another set, into which no archive belongs."""
    given = {pattern.partition("/")[0] for source in sources for pattern in source.gives} | {".fetch"}
    folders = (path.name for path in root.iterdir() if path.is_dir()) if root.is_dir() else ()
    return sorted(name for name in folders if name not in given and not is_leftover(name))


def _need_archives(name: str, missing: Sequence[Source], origin: str | None) -> None:
    """UserError if a folder lacks one of the archives, before the first of them takes hours to unpack."""
    if origin is None or "://" in origin:
        return
    for source in missing:
        for file in [source.file] + ([source.devkit["file"]] if source.devkit else []):
            if not (Path(origin) / file).is_file():
                holds = f"must hold {REGISTERED}" if source.url is None else "names this folder"
                raise UserError(f"{Path(origin) / file}: the archive is missing; data.{name}.source {holds}")


def _bring(name: str, source: Source, origin: str | None, root: Path, patience: RetryPolicy) -> None:
    """One archive, until all of it lies in .fetch/FILE.unpacked."""
    work = root / ".fetch"
    work.mkdir(parents=True, exist_ok=True)
    archive, where = _obtain(name, source, origin, work, patience)
    hashes = _verify(archive, source, where)
    part = work / f"{source.file}.unpacking"
    if source.layout != "classes":  # those go on where they were stopped
        shutil.rmtree(part, ignore_errors=True)
    done = sum(path.stat().st_size for path in part.rglob("*") if path.is_file())
    need_room(work, unpack.size(archive) - done, f"unpacking {source.file}")
    _unpack(name, source, origin, archive, part, patience)
    if strange := _strange(source, counts(part, source)):
        shutil.rmtree(part)
        raise UserError(f"{where}: the archive does not hold what it should: {'; '.join(strange)}")
    entry = {"source": where, "bytes": archive.stat().st_size, **hashes, "published_by": source.published_by or OWN}
    write_json(root / "fetched.json", _fetched(root) | {source.file: entry})
    part.rename(work / f"{source.file}.unpacked")
    if archive.parent == work:
        archive.unlink()


def _unpack(name: str, source: Source, origin: str | None, archive: Path, part: Path, patience: RetryPolicy) -> None:
    if source.layout == "classes":
        unpack.unpack_classes(archive, part)
    elif source.layout == "labelled":
        devkit = Source(**source.devkit)
        labels, where = _obtain(name, devkit, origin, part.parent, patience)
        _verify(labels, devkit, where)
        unpack.unpack_labelled(archive, part, labels)
    elif source.layout == "file":
        part.mkdir(parents=True)
        shutil.copyfile(archive, part / archive.name)
    else:
        unpack.unpack(archive, part / source.into, source.inside, source.only)


def _obtain(name: str, source: Source, origin: str | None, work: Path, patience: RetryPolicy) -> tuple[Path, str]:
    """The archive, and the address or path that it came from."""
    if origin is None and source.url is None:
        raise UserError(f"data.{name}.source: missing: name the folder here, beside `root`, that holds {REGISTERED}")
    if origin is None or "://" in origin:
        url = source.url if origin is None else f"{origin.rstrip('/')}/{source.file}"
        download(url, work / source.file, source.bytes, patience)
        return work / source.file, url
    path = Path(origin) / source.file
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


def _put_in_place(root: Path, source: Source, check: Path | None) -> None:
    """Move what was unpacked to its place; also what a process that was stopped half-way has left."""
    unpacked = root / ".fetch" / f"{source.file}.unpacked"
    if unpacked.is_dir():
        if check:
            check.unlink(missing_ok=True)
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


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Fetch the official archives of a data set; what is there stays.")
    parser.add_argument("set", help="its name in the config; without a `layout` in its section, also its layout")
    parser.add_argument(
        "--dataset-config", required=True, type=json.loads, help="the set's section of the config, JSON"
    )
    parser.add_argument("--root", required=True, type=Path)
    parser.add_argument("--out", type=Path, help="where to write the record; without it, it is printed")
    parser.add_argument("--check", type=Path, help="the set's CHECK.json: removed if anything is put in place")
    parser.add_argument("--times", type=int, default=1, help="how many times it was fetched, with this one")
    args = parser.parse_args()
    with os_errors_as_user_errors(args.root), one_at_a_time(args.root):
        record = fetch(args.set, args.dataset_config, args.root, check=args.check) | {"times": args.times}
    if args.out:
        write_json(args.out, record)
    else:
        print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
