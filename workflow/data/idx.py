"""IDX files, as those of MNIST: a magic number, the sizes of the axes, each big-endian of 32 bits, and the bytes; with
`.gz` behind their names, or unpacked."""

import gzip
import math
import zlib
from pathlib import Path

import numpy as np

from workflow.core.errors import UserError
from workflow.core.files import open_regular
from workflow.data.validation.errors import FETCH

MAGIC = {1: 2049, 3: 2051}  # of bytes with so many axes


def located(root: Path, name: str) -> Path:
    """The file, unpacked or as it is published.

    Raises:
        UserError: there is neither.
    """
    found = [path for path in (root / name, root / f"{name}.gz") if path.exists()]
    if not found:
        raise UserError(f"{root / name}: the file is missing, unpacked and as .gz; {FETCH}")
    return found[0]


def read(path: Path, axes: int) -> np.ndarray:
    """The bytes of a file, as an array of so many axes: 3 of images (N, H, W), 1 of labels (N,).

    Raises:
        UserError: it is no gzip though its name says so, not an IDX file of bytes of these axes, or of another length.
    """
    content, header = _content(path), 4 + 4 * axes
    magic = int.from_bytes(content[:4], "big")
    if magic != MAGIC[axes]:
        what = "images" if axes == 3 else "labels"
        raise UserError(f"{path}: its magic number is {magic}, not {MAGIC[axes]}: no IDX file of {what}")
    shape = [int.from_bytes(content[start : start + 4], "big") for start in range(4, header, 4)]
    size = header + math.prod(shape)
    if len(content) != size:
        sizes = " × ".join(f"{each:,}" for each in shape)
        raise UserError(f"{path}: it has {len(content):,} bytes, and {sizes} values take {size:,}")
    return np.frombuffer(content, dtype=np.uint8, offset=header).reshape(shape)


def _content(path: Path) -> bytes:
    with open_regular(path) as file:
        content = file.read()
    try:
        return gzip.decompress(content) if path.suffix == ".gz" else content
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise UserError(f"{path}: cannot be unpacked: {error}") from None
