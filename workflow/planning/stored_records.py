"""Runs whose records lie in the folders of the key `records`: they count, and no job of them is planned.

A folder has the shape of results/<experiment> (docs/results/<experiment> has it too), with the records of backbones in
`backbones`, below it or next to it. A record counts if recipe, data and backbone are the plan's; where the data or an
imported file lie is not compared. Of any other record the plan says what differs, and its run is planned here.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from workflow.core.errors import UserError
from workflow.core.files import RECORD, read_json, record_digest
from workflow.core.formatting import plain
from workflow.planning.planned_run import PlannedRun
from workflow.planning.rerun import changes, is_outdated
from workflow.registry import PRETRAIN

KEY = "[0-9a-f]" * 10  # of a backbone's folder
FORMAT = (KeyError, TypeError, AttributeError)  # what the records of another version lead to
Row = tuple[str, int]  # a backbone and its pretraining seed


@dataclass(frozen=True)
class Placed:
    """The runs of a plan, each where its record is or will be.

    Args:
        backbones: all that are reported.
        transfers: the same.
        weights: backbones that are made here although their records are stored, because jobs need their weights.
    """

    backbones: list[PlannedRun]
    transfers: list[PlannedRun]
    weights: list[PlannedRun]


def transfer_records(folder: Path) -> list[Path]:
    """The records of transfers in a folder."""
    return sorted(folder.glob(f"*/*/p*/{RECORD}"))


def backbone_records(folder: Path, name: str = "*", seed: str = "*") -> list[Path]:
    """The records of backbones in a folder; if there are none, next to it."""
    pattern = f"backbones/{name}-{KEY}/seed{seed}/{RECORD}"
    return sorted(folder.glob(pattern)) or sorted(folder.parent.glob(pattern))


def placed(folders: Sequence[str], backbones: Sequence[PlannedRun], transfers: Sequence[PlannedRun]) -> Placed:
    """The runs of a plan, with those that are stored in `folders`.

    Raises:
        UserError: a record there is damaged, or two records with different content are of one run.
    """
    if not folders:
        return Placed(list(backbones), list(transfers), [])
    starts = [_chosen(run, _backbones(run, folders)) for run in backbones]
    published: dict[Row, dict[str, str]] = {}  # hash of a backbone to where its weights are, or were
    for run in [*backbones, *starts]:
        if Path(run.record).is_file() and (run.stored or not is_outdated(run)):
            value = _read(Path(run.record))["files"].get(Path(run.weights).name, "")
            published.setdefault(_row(run), {})[value] = run.weights
    moved = [_chosen(run, _transfers(run, folders, published.get(_row(run), {}))) for run in transfers]
    there = {
        here.weights: run.weights
        for here, run in zip(backbones, starts, strict=True)
        if run.stored and Path(run.weights).is_file() and not Path(here.weights).is_file()
    }
    moved = [replace(run, weights=there.get(run.weights, run.weights)) for run in moved]
    needed = {run.weights for run in moved if not run.stored}
    pairs = zip(backbones, starts, strict=True)
    return Placed(starts, moved, [here for here, run in pairs if run.stored and here.weights in needed])


def _row(run: PlannedRun) -> Row:
    return run.backbone, run.seeds["pretrain"]


def _chosen(run: PlannedRun, found: Iterable[PlannedRun]) -> PlannedRun:
    """Where a run is: stored, unless what is here is the same."""
    refused = ""
    fitting: list[PlannedRun] = []
    for one in found:
        refused = refused or one.refused
        fitting += [] if one.refused else [one]
    for one in fitting[1:]:
        _refuse_other(fitting[0], one)
    if not fitting:
        return replace(run, refused=refused)
    if Path(run.record).is_file() and not is_outdated(run):
        if _content(run) == _content(fitting[0]):
            return run
        if run.task != PRETRAIN:  # a backbone may have been pretrained again here, for its weights
            _refuse_other(fitting[0], run)
    return fitting[0]


def _content(run: PlannedRun) -> str:
    return str(_read(Path(run.record))["sha256"])


def _refuse_other(one: PlannedRun, other: PlannedRun) -> None:
    if _content(one) != _content(other):
        name = f"{one.task} {one.backbone} {one.seed_name}"
        raise UserError(f"{one.record} and {other.record} are both of the run {name}, with other content: remove one")


def _backbones(run: PlannedRun, folders: Sequence[str]) -> Iterator[PlannedRun]:
    """The records of a backbone, with what differs; under another key too, as this depends on where the data lie."""
    for folder in folders:
        found = [
            _adopted(run, folder, record)
            for record in backbone_records(Path(folder), run.backbone, str(run.seeds["pretrain"]))
        ]
        fitting = [one for one in found if not one.refused]
        if fitting:
            yield from fitting
        elif found:
            begun = Path(folder).glob(f"*/{run.backbone}/p{run.seeds['pretrain']}*/{RECORD}")
            started = {_read(record)["provenance"].get("backbone") for record in begun}
            hashes = [_read(Path(one.record))["files"].get(Path(one.weights).name) for one in found]
            yield from (one for one, value in zip(found, hashes, strict=True) if value in started)


def _transfers(run: PlannedRun, folders: Sequence[str], published: dict[str, str]) -> Iterator[PlannedRun]:
    """The records of a transfer, with what differs. `published`: backbones that are the plan's, to their weights."""
    for folder in folders:
        record = Path(folder, *Path(run.record).parts[2:])
        if not record.is_file():
            continue
        one = _adopted(run, folder, record)
        start = str(_read(record)["provenance"].get("backbone"))
        if not one.refused and start not in published:
            one = replace(one, refused=f"{folder} has it, but of backbone {start[:10]}, which is not the plan's")
        yield replace(one, weights=published.get(start, one.weights))


def _adopted(run: PlannedRun, folder: str, record: Path) -> PlannedRun:
    """A run with its record in a folder; `refused` says why it is not the plan's."""
    _read(record)
    weights = str(record.with_name(Path(run.weights).name))
    try:
        one = with_recorded_paths(replace(run, record=str(record), weights=weights, stored=folder))
        differs = changes(one)
    except FORMAT:
        raise UserError(f"{record}: not a record of this version") from None
    words = "; ".join(f"{key} {plain(there)}, here {plain(here)}" for key, (there, here) in differs.items())
    return replace(one, refused=f"{folder} has it with {words}" if words else "")


def with_recorded_paths(run: PlannedRun) -> PlannedRun:
    """A run whose data and imported file lie where its record says: no result depends on these paths, and that of a
    drawn set follows from its photos, which need not be here.

    Raises:
        UserError: its `config.json` cannot be read. Of another version it may be any of FORMAT.
    """
    config = read_json(Path(run.record).with_name("config.json"), *run.compared)
    spec = {
        "data": run.run["data"] | _same(run.run["data"], config["data"], "root"),
        "recipe": run.run["recipe"] | _same(run.run["recipe"], config["recipe"], "checkpoint"),
    }
    return replace(run, run=run.run | spec)


def _same(here: dict[str, Any], there: dict[str, Any], key: str) -> dict[str, Any]:
    """The value of a path, on which no result depends."""
    return {key: there[key]} if key in here and key in there else {}


def _read(record: Path) -> dict[str, Any]:
    """A record that is as it was written; UserError for another."""
    content: dict[str, Any] = read_json(record, "provenance", "files", "sha256")
    if content["sha256"] != record_digest(content):
        raise UserError(f"{record}: damaged: its content is not what the run wrote")
    return content
