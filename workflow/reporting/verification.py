"""Whether what a run left is as the run wrote it: a record's own hash and those of the files beside it, the types that
the report counts on, and metrics within what they can be. A fault ends the report with one line that names the file: of
what is damaged nothing enters a number."""

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from workflow.config.yaml_loader import format_value
from workflow.contracts import Task
from workflow.core.errors import UserError
from workflow.core.files import read_json, record_digest, sha256

DAMAGED = "damaged: its content is not what the run wrote"
AGAIN = "remove the folder, and the workflow makes it again"
NEEDED = ("config.json", "per_image.npz")  # numbers or their words depend on them; what else is absent enters nothing
SLACK = 1e-6  # of rounding
Kind = tuple[str, Callable[[Any], bool]]  # what a value must be, in words and as a test

OBJECT: Kind = ("an object", lambda value: isinstance(value, dict))
LIST: Kind = ("a list of objects", lambda value: isinstance(value, list) and all(isinstance(x, dict) for x in value))
TEXT: Kind = ("text", lambda value: isinstance(value, str))
TEXT_OR_NONE: Kind = ("text or null", lambda value: value is None or isinstance(value, str))
WHOLE: Kind = ("a whole number from 0", lambda value: type(value) is int and 0 <= value < 1 << 53)
NUMBER: Kind = ("a finite number", lambda value: _finite(value))
MEASURE: Kind = ("a finite number from 0", lambda value: _finite(value) and value >= 0)

KEYS: dict[str, Kind] = {
    "task": TEXT,
    "backbone": TEXT,
    "seeds": OBJECT,
    "metrics": OBJECT,
    "protocol": OBJECT,
    "provenance": OBJECT,
    "history": OBJECT,
}
PROVENANCE: dict[str, Kind] = {
    **dict.fromkeys(("recipe", "data", "code", "device"), TEXT),
    "backbone": TEXT_OR_NONE,
    **dict.fromkeys(("seconds", "images_per_second", "data_wait", "peak_memory_mb"), MEASURE),
    **dict.fromkeys(("libraries", "machine"), OBJECT),
}
MORE: dict[str, Kind] = dict.fromkeys(("best", "chosen", "per_class", "references"), OBJECT) | {"parameters": WHOLE}
CONFIG: dict[str, Kind] = {"recipe": OBJECT, "data": OBJECT, "workers": WHOLE}


def read(path: Path) -> dict[str, Any] | None:
    """The JSON object in a file; None if there is no such file."""
    if not path.is_symlink() and not path.exists():
        return None
    content = read_json(path)
    if not isinstance(content, dict):
        raise UserError(f"{path}: not a JSON object")
    return content


def check_own_hash(path: Path, record: dict[str, Any]) -> bool:
    """UserError if a record is not as it was written; False if nothing can be verified: it was made before records had
    hashes."""
    missing = [key for key in KEYS if key not in record]
    if missing:
        raise UserError(f"{path}: not a record, it lacks {', '.join(missing)}")
    if "files" not in record and "sha256" not in record:
        return False
    _needed(path, "", record, {"files": OBJECT, "sha256": TEXT})
    for name in record["files"]:
        if name in ("", "..") or Path(name).name != name or not name.isprintable():
            raise UserError(f"{path}: files.{name} is not the name of a file beside it")
    if record["sha256"] != _digest(path, record):
        raise UserError(f"{path}: {DAMAGED}; {AGAIN}")
    return True


def check_files(path: Path, record: dict[str, Any]) -> None:
    """UserError if a file that a run published beside its record is not as it was written."""
    for name, value in record["files"].items():
        file = path.with_name(Path(name).name)
        if not file.is_symlink() and not file.exists():
            if name in NEEDED:
                raise UserError(f"{file}: missing, and its run has written it; {AGAIN}")
        elif _hash(file) != value:
            raise UserError(f"{file}: {DAMAGED}; {AGAIN}")


def _hash(file: Path) -> str:
    try:
        return sha256(file)
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}") from None


def _digest(path: Path, record: dict[str, Any]) -> str:
    try:
        return record_digest(record)
    except RecursionError:
        raise UserError(f"{path}: not valid JSON: nested too deeply") from None


def check_types(path: Path, record: dict[str, Any], config: dict[str, Any], name: str, task: Task) -> None:
    """UserError, naming file and key, if a value is of another type than a run of the instance `name` of `task` writes,
    or a metric is out of range."""
    _typed(path, "", record, KEYS | MORE)
    _typed(path, "seeds.", record["seeds"], dict.fromkeys(record["seeds"], WHOLE))
    _typed(path, "provenance.", record["provenance"], PROVENANCE)
    _typed(path.with_name("config.json"), "", config, CONFIG)
    history = record["history"]
    _needed(path, "history.", history, {"points": LIST, "evaluations": LIST})
    if strange := [key for key in record["metrics"] if task.metric(key) is None]:
        raise UserError(f"{path}: metrics.{format_value(min(strange))[1:-1]} is not a metric of {name}")
    _metrics(path, "metrics.", record["metrics"], task)
    for number, point in enumerate(history["points"]):
        _needed(path, f"history.points[{number}].", point, {"iteration": WHOLE, "loss": NUMBER})
    for number, one in enumerate(history["evaluations"]):
        _needed(path, f"history.evaluations[{number}].", one, {"iteration": WHOLE})
        _metrics(path, f"history.evaluations[{number}].", one, task)
    best = record.get("best", {})
    _metrics(path, "best.", best, task)
    if any(task.metric(key) for key in best):
        _needed(path, "best.", best, {"epoch" if "epoch" in best else "iteration": WHOLE})
    references = record.get("references", {})
    _typed(path, "references.", references, dict.fromkeys(references, OBJECT))
    for name, scores in references.items():
        if strange := [key for key in scores if task.metric(key) is None]:
            raise UserError(f"{path}: references.{format_value(min(strange))[1:-1]} is not a metric of {task.name}")
        _metrics(path, f"references.{format_value(name)[1:-1]}.", scores, task)
    classes = record.get("per_class", {})
    known = {name: value for name, value in classes.items() if value is not None}  # of no such object there is no AP
    _typed(path, "per_class.", known, dict.fromkeys(known, _within(100.0)))


def _metrics(path: Path, prefix: str, values: dict[str, Any], task: Task) -> None:
    """Metrics of the task are within their range."""
    _typed(path, prefix, values, {metric.name: _within(metric.maximum) for metric in task.metrics})


def _within(largest: float) -> Kind:
    words = f"a finite number within 0 and {largest:g}"
    return words, lambda value: _finite(value) and -SLACK <= value <= largest + SLACK


def _finite(value: Any) -> bool:
    if type(value) not in (int, float):
        return False
    return abs(value) < 1 << 53 if isinstance(value, int) else math.isfinite(value)


def _needed(path: Path, prefix: str, content: dict[str, Any], kinds: dict[str, Kind]) -> None:
    missing = [key for key in kinds if key not in content]
    if missing:
        raise UserError(f"{path}: {prefix}{missing[0]} is missing")
    _typed(path, prefix, content, kinds)


def _typed(path: Path, prefix: str, content: dict[str, Any], kinds: dict[str, Kind]) -> None:
    """Every key that is there is of its kind."""
    for key, (words, fits) in kinds.items():
        if key in content and not fits(content[key]):
            raise UserError(f"{path}: {prefix}{format_value(key)[1:-1]} is {format_value(content[key])}, not {words}")
