"""What became of each planned run: its record, or the reason why there is none (design: Contracts, Record)."""

import json
import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workflow.training.errors import UserError

WHEN = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d ")  # error.txt starts with the time of the failure
KEYS = ("task", "backbone", "seeds", "metrics", "protocol", "provenance", "history")


@dataclass(frozen=True)
class Outcome:
    """One planned run. `record` and `config` (the resolved config beside it) are None unless `status` is done.

    `reason` says in a few words why there is no record; it is empty where there is one.
    """

    task: str
    backbone: str
    seeds: dict[str, int]
    path: Path
    status: Literal["done", "failed", "pending"]
    reason: str = ""
    record: dict[str, Any] | None = None
    config: dict[str, Any] | None = None

    @property
    def seed_name(self) -> str:
        """As in the paths: `p0` for pretraining, `p0s1` for a transfer."""
        transfer = f"s{self.seeds['transfer']}" if "transfer" in self.seeds else ""
        return f"p{self.seeds['pretrain']}{transfer}"

    @property
    def name(self) -> str:
        """For messages: `ssd_voc cutmix p0s1`."""
        return f"{self.task} {self.backbone} {self.seed_name}"

    @property
    def why(self) -> str:
        """Why there is no record, e.g. `failed: out of memory` or `pending`."""
        return f"{self.status}: {self.reason}" if self.reason else self.status


def read(runs: Iterable[Any]) -> list[Outcome]:
    """The outcomes of planned runs (workflow.plan.PlannedRun), ordered by task, backbone and seeds.

    UserError if a file that is there is not what it should be.
    """
    outcomes = [_outcome(run) for run in runs]
    return sorted(outcomes, key=lambda o: (o.task, o.backbone, sorted(o.seeds.items())))


def _outcome(run: Any) -> Outcome:
    path, state = Path(run.record), Path(run.state)
    about = {"task": run.task, "backbone": run.backbone, "seeds": dict(run.seeds), "path": path}
    record = _json(path)
    if record is not None:
        _check(path, record, run)
        return Outcome(**about, status="done", record=record, config=_json(path.with_name("config.json")))
    error = _text(state / "error.txt")
    if error is not None:
        # One printable line: a reason ends up on terminals.
        reason = WHEN.sub("", " ".join("".join(c if c.isprintable() else " " for c in error).split()))
        return Outcome(**about, status="failed", reason=reason or "no reason given")
    return Outcome(**about, status="pending", reason="started, not finished" if state.is_dir() else "")


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return None


def _json(path: Path) -> dict[str, Any] | None:
    text = _text(path)
    if text is None:
        return None
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise UserError(f"{path}:{error.lineno}: not JSON: {error.msg}") from None
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object")
    return content


def _check(path: Path, record: dict[str, Any], run: Any) -> None:
    """A record has all its keys, finite metrics, and belongs to the run that is looked for."""
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise UserError(f"{path}: not a record, it lacks {', '.join(missing)}")
    for key in ("task", "backbone"):
        if record[key] != getattr(run, key):
            raise UserError(f"{path}: {key} is {record[key]!r} where {getattr(run, key)!r} belongs")
    for name, value in record["metrics"].items():
        if not isinstance(value, int | float) or not math.isfinite(value):
            raise UserError(f"{path}: metrics.{name} is {value!r}, not a finite number")
