"""Resuming an evaluation by its finished parts: a killed one computes again only the part that it was in.

A part is a file of arrays in the folder of the run's state (`.work/<hash>/parts/`), which the recipe names and which
`run_context` empties for another backbone or other data. Parts of other code or libraries are not used either. On the
same kind of CPU with the same threads the result has the same bits as without a kill: no part depends on another.
"""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from workflow.core import code_hash
from workflow.core.errors import UserError
from workflow.core.files import read_hashed, read_json, write_hashed
from workflow.training import per_image
from workflow.training.resume import attempts

Arrays = dict[str, np.ndarray]


class FinishedParts:
    """The parts of an evaluation. Called with a part's name and a function that computes its arrays, it gives these
    arrays: read if an earlier attempt has finished the part, else computed and kept. Or `read` and `keep` do this.

    Args:
        state: folder of the run's state; inside `run_context`, whose success removes it.
        of: what the run is made of (workflow/training/record.py).
        name: of the run, for the terminal.
    """

    def __init__(self, state: Path, of: Mapping[str, Any], name: str) -> None:
        self.state, self.folder, self.name = state, state / "parts", name
        self.of = dict(of)
        self.code: dict[str, str] = {}
        if reason := self._stale_reason():
            print(f"[{name}] {self.folder}: {reason}; its parts are computed again", flush=True)
            shutil.rmtree(self.folder)
            attempts.forget(state)
        self.folder.mkdir(parents=True, exist_ok=True)

    def __call__(self, part: str, compute: Callable[[], Mapping[str, np.ndarray]]) -> Arrays:
        arrays = self.read(part)
        return self.keep(part, compute()) if arrays is None else arrays

    def keep(self, part: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
        """Write the arrays of a finished part, and return them."""
        file, code = self.folder / f"{part}.npz", code_hash.hashes()
        per_image.write(file, [], **arrays)
        write_hashed(self.folder / f"{part}.json", {"code": code, "made_of": self.of}, [file])
        if code != self.code:  # takes as long as a small part
            attempts.keep(self.state)
            self.code = code
        return dict(arrays)

    def read(self, part: str) -> Arrays | None:
        """The arrays of a part that an earlier attempt has finished; None if it has not, or if they are damaged."""
        index, file = (self.folder / f"{part}{suffix}" for suffix in (".json", ".npz"))
        if not index.exists():
            return None
        try:
            read_hashed(index, "files")
            arrays = per_image.parse(file, file.read_bytes())
        except UserError as error:
            print(f"[{self.name}] {error}", flush=True)
            return None
        return {key: value for key, value in arrays.items() if key != "images"}

    def _stale_reason(self) -> str:
        """Why the parts that are there are not of this run; "" if they are."""
        for file in sorted(self.folder.glob("*.json")):
            try:
                made = read_json(file, "code", "made_of")
            except UserError:
                continue  # that part is computed again
            if edited := code_hash.edited(made["code"]):
                return f"computed before {edited[0]} was edited"
            if other := [key for key, value in self.of.items() if made["made_of"].get(key) != value]:
                return f"computed of other {' and '.join(other)}"
        return ""
