"""CIFAR's binary files: records of the label, one byte (two of CIFAR-100: coarse and fine), and 32 x 32 pixels as three
planes, R, G and B. The python archives of the same images are pickles, which run code: they are never opened."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from workflow.contracts import DataSet
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import open_regular
from workflow.data.array_images import check_arrays, joined
from workflow.data.labelled import ArrayImages
from workflow.data.validation.errors import FETCH, ErrorList, decoded, require_dir
from workflow.data.validation.unused import say_unused

SIDE = 32  # px
PIXELS = 3 * SIDE * SIDE


class Files(NamedTuple):
    """The files of one of the two sets.

    Args:
        train: those with the training images.
        test: those with the test images.
        names: that with a class name a line.
        labels: bytes before the pixels, of which the last is the label.
        pickles: files of the python archive.
        others: of the binary archive, which are not used.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    names: str
    labels: int
    pickles: tuple[str, ...]
    others: tuple[str, ...]


def class_names(root: Path, files: Files) -> list[str]:
    """The names of the classes in the order of the labels.

    Raises:
        UserError: the file is missing, no text, or has less than two names or one twice.
    """
    path = _file(root, files.names, files)
    try:
        names = [line.strip() for line in decoded(path.read_bytes()).splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not {error.encoding.upper()} text: byte {error.start}: {error.reason}") from None
    if len(names) < 2 or len(set(names)) < len(names):
        raise UserError(f"{path}: must have a class name a line, two at least and none twice")
    return names


def records(path: Path, labels: int) -> ArrayImages:
    """The images of a file with their classes, in its order.

    Raises:
        UserError: it has no record, or a part of one.
    """
    with open_regular(path) as file:
        size, content = labels + PIXELS, file.read()
    if not len(content) or len(content) % size:
        whole = f"{len(content):,} bytes are not whole records of {size:,} bytes"
        raise UserError(f"{path}: {whole}: it is truncated, or another file")
    table = np.frombuffer(content, dtype=np.uint8).reshape(-1, size)
    planes = table[:, labels:].reshape(-1, 3, SIDE, SIDE)
    return ArrayImages(np.ascontiguousarray(planes.transpose(0, 2, 3, 1)), table[:, labels - 1].astype(np.int64))


def open_part(root: str, part: str, files: Files) -> ArrayImages:
    """The images of `train` or `test` with their classes.

    Raises:
        UserError: a file is missing, or not as it must be.
    """
    parts = [records(_file(Path(root), name, files), files.labels) for name in getattr(files, part)]
    return joined(parts, f"{root}/{part}")


def _file(root: Path, name: str, files: Files) -> Path:
    """A file of the set; UserError if it is missing."""
    if not (root / name).exists():
        pickles = [pickle for pickle in files.pickles if (root / pickle).is_file()]
        instead = f"{pickles[0]} is of the python archive, a pickle, and is not opened; " if pickles else ""
        raise UserError(f"{root / name}: the file is missing; {instead}{FETCH}")
    return root / name


def check(data: DataSet, root: Path, files: Files) -> DatasetInfo:
    """Check one of the two sets.

    Args:
        data: its declaration.
        root: its folder.
        files: its files.

    Raises:
        UserError: with every fault.
    """
    root, faults = Path(root), ErrorList()
    names, found = class_names(require_dir(root, f"the folder of {data.title}"), files), {}
    for part in ("train", "test"):
        for name in getattr(files, part):
            try:
                found[name] = records(_file(root, name, files), files.labels)
            except UserError as error:
                faults.add("files that cannot be read", str(error))
    ours = {*files.train, *files.test, files.names, *files.others, "fetched.json", ".fetch", ".snakemake_timestamp"}
    there = {entry.name for entry in root.iterdir()}
    say_unused(root, "pickles of the python archive, which are never opened", there & {*files.pickles})
    say_unused(root, "none of the set's files", there - ours - {*files.pickles})
    faults.raise_if_any()
    parts = {part: {root / name: found[name] for name in getattr(files, part)} for part in ("train", "test")}
    return check_arrays(data, root, parts, names, faults)
