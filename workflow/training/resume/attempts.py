"""What all attempts of one run ran with: code, libraries, machine. A run that was killed may be resumed with others.

This attempt's are those of its begin; those of earlier ones are kept beside the state that they have left.
"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from workflow.core import code_hash
from workflow.core.errors import UserError
from workflow.core.files import read_json, write_json
from workflow.training.machine import machine

FILE = "ran_with.json"
RanWith = dict[str, dict[str, list]]  # kind, name, what it was in one attempt after the other

earlier: RanWith = {}
libraries: dict[str, str] = {}
written: RanWith = {}


def begin(loaded: dict[str, str], state: Path | None = None) -> None:
    """A run begins in this process, with these libraries; `state` is the folder of its state, if it can be resumed."""
    for mine in (earlier, libraries, written):
        mine.clear()
    libraries.update(loaded)
    if state and (state / FILE).exists():
        try:
            earlier.update(read_json(state / FILE, "code", "libraries", "machine"))
        except UserError as error:
            print(f"{error}; what this run has run with before is not known", flush=True)


def ran_with() -> RanWith:
    """Of this attempt and those before it."""
    here = {"code": code_hash.hashes(), "libraries": libraries, "machine": asdict(machine(torch.get_num_threads()))}
    found: RanWith = {}
    for kind, values in here.items():
        found[kind] = {name: list(before) for name, before in earlier.get(kind, {}).items()}
        for name, value in values.items():
            before = found[kind].setdefault(name, [])
            before += [value] * (value not in before)
    return found


def keep(state: Path) -> None:
    """With a state: for whoever resumes it."""
    found = ran_with()
    if found != written:
        write_json(state / FILE, found)
        written.update(found)


def forget(state: Path) -> None:
    """Earlier attempts, if nothing of what they have computed is used."""
    if not list(state.glob("*.pth")):
        (state / FILE).unlink(missing_ok=True)
        for mine in (earlier, written):
            mine.clear()


def resumed_with(found: RanWith) -> list[str]:
    """What was not the same in all attempts, a line each."""
    changes = {"code": "was edited", "libraries": "was another version", "machine": "was another"}
    return [
        f"{name} {changes[kind]} before the run was resumed" + (f": {values[0]}" if kind != "code" else "")
        for kind, entries in found.items()
        for name, values in entries.items()
        if len(values) > 1
    ]


def changed_since() -> list[str]:
    """What this attempt has loaded and is something else on the disk by now, a line each."""
    installed = code_hash.libraries()
    newer = [f"{name}: {ran} was loaded, {installed[name]} is there now" for name, ran in libraries.items()
             if installed[name] != ran]  # fmt: skip
    return [f"{name} has been edited since it was loaded" for name in code_hash.edited(code_hash.hashes())] + newer


def as_recorded(found: RanWith) -> dict[str, Any]:
    """For a record: hash of all code that ran and of each file (a list where it was several), versions, machine."""
    files = {name: values[0] if len(values) == 1 else values for name, values in sorted(found["code"].items())}
    return {"code_files": files, "libraries": dict(libraries), "machine": asdict(machine(torch.get_num_threads()))}
