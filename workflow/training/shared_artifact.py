"""A folder that runs share (contracts.SharedArtifact): arrays, and an index with all that they were made of and with.
What made it is recorded, and said where a run has another (law 5)."""

import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from workflow.contracts import INDEX
from workflow.core import code_hash
from workflow.core.errors import UserError
from workflow.core.files import atomic, digest, read_hashed, read_json
from workflow.training.machine import machine


def write_array(path: Path, shape: tuple[int, ...], batches: Iterable[np.ndarray]) -> None:
    """Write float16 batches, one after the other, as one .npy file of a shape, atomically."""
    with atomic(path) as temporary:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=shape)
        with temporary.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)  # a full disk is an error, not a SIGBUS
        done = 0
        for batch in batches:
            array[done : done + len(batch)] = batch
            done += len(batch)
        array.flush()


def read_array(folder: str | Path, name: str) -> np.ndarray:
    """What `write_array` wrote to NAME.npy, float16, mapped read-only."""
    return np.asarray(np.load(Path(folder) / f"{name}.npy", mmap_mode="r"))


def made_with() -> dict[str, Any]:
    """Code, libraries and machine of this process."""
    return {
        "code": code_hash.hashes(),
        "libraries": code_hash.libraries(),
        "machine": asdict(machine(torch.get_num_threads())),
    }


def verify(folder: Path, of: Mapping[str, Any], command: str) -> dict[str, Any]:
    """The index of a folder.

    Args:
        folder: of the artifact.
        of: what it must have been made of.
        command: that makes it, for a message.

    Raises:
        UserError: naming the key or file, if it was made of something else, or is not as it was made.
    """
    if not (folder / INDEX).is_file():
        raise UserError(f"{folder}/{INDEX} is missing: run `python -m {command}` first")
    index = read_hashed(folder / INDEX, "files", "made_with", whole=folder)
    for key, value in of.items():
        if index.get(key) != value:
            raise UserError(f"{folder}/{INDEX}: made with {key} {index.get(key)}, but this run has {value}")
    return index


def identity(folder: Path) -> str:
    """What tells the content of an artifact from another's."""
    return digest(read_json(folder / INDEX, "files")["files"])


def differences(folder: Path, index: Mapping[str, Any]) -> list[str]:
    """What an artifact with this index was made with and this process has not, and whether it has been made again since
    it was opened, a line each."""
    made, here = index["made_with"], made_with()
    found = [f"{folder}: made by another {name}" for name in code_hash.edited(made["code"])]
    for kind in ("libraries", "machine"):
        for name, value in made.get(kind, {}).items():
            if name != "threads" and here[kind].get(name) != value:
                found.append(f"{folder}: made with {name} {value}, this run has {here[kind].get(name)}")
    again = not (folder / INDEX).is_file() or identity(folder) != digest(index["files"])
    return found + [f"{folder} has changed since it was loaded"] * again
