"""Weights that a library publishes under a name (`checkpoint: timm:<name>`): where `snakemake data` puts them, and what
it has written down of them. No torch: planning must be quick, and cannot ask the library."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.core.files import read_json

LIBRARIES = ("timm", "torchvision")
FOLDER = Path("data/weights")


@dataclass(frozen=True)
class LibraryWeights:
    """Weights by their `library` and their `name` there."""

    library: str
    name: str

    @property
    def network(self) -> str:
        """What the library calls their network."""
        model = self.name.partition(".")[0]
        return model.removesuffix("_Weights").lower() if self.library == "torchvision" else model

    @property
    def folder(self) -> Path:
        """Where they lie once they are fetched."""
        return FOLDER / self.library / self.name

    @property
    def note(self) -> Path:
        """What is written down of them, last: `weights`, `file`, `sha256`, `url`, `preprocessing`."""
        return self.folder / "fetched.json"

    def fetched(self) -> dict[str, Any]:
        """The note of weights that are there; empty if they are not. UserError if it cannot be read."""
        keys = ("weights", "file", "sha256", "preprocessing")
        note: dict[str, Any] = read_json(self.note, *keys) if self.note.exists() else {}
        return note if note and (self.folder / note["file"]).is_file() else {}


def library_weights(checkpoint: str) -> LibraryWeights | None:
    """What `<library>:<name>` means; None for the path of a file."""
    library, colon, name = checkpoint.partition(":")
    return LibraryWeights(library, name) if colon and library in LIBRARIES else None


def is_name(weights: LibraryWeights) -> bool:
    """Whether a library could have this name; it becomes a folder's."""
    return bool(re.fullmatch(r"\w[\w-]*(\.\w[\w-]*)?", weights.name, re.ASCII))
