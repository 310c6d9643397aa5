"""What a resample of the test images needs, beside the record: `per_image.npz`, plain arrays (design: Contracts).

The report resamples images without a network; what the arrays are is said in
workflow/reporting/statistics/per_image.py.
"""

import io
import math
import zipfile
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from workflow.core.errors import UserError
from workflow.core.files import atomic

LARGEST = 1 << 32  # bytes of all arrays: sixteen times what 40,000 images with 100 detections each take


def write(path: str | Path, images: np.ndarray | list, **arrays: np.ndarray) -> None:
    """Write arrays about the test images `images` (N,), integers or texts, atomically. Equal arrays are equal bytes."""
    # Level 1: 5 % larger than numpy's own, in a quarter of the time.
    with atomic(path) as temporary, zipfile.ZipFile(temporary, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in {"images": np.asarray(images), **arrays}.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                npy.write_array(file, np.asanyarray(array), allow_pickle=False)


def parse(path: Path, content: bytes) -> dict[str, np.ndarray]:
    """The arrays of an .npz file's `content`; UserError, naming `path`, for anything else.

    A header is believed only if it says what is there, before memory is taken for it.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = archive.infolist()
            if sum(member.file_size for member in members) > LARGEST:
                raise ValueError(f"its arrays take more than {LARGEST:,} bytes")
            arrays = {member.filename.removesuffix(".npy"): _array(archive.read(member)) for member in members}
            if len(arrays) < len(members):
                raise ValueError("an array stands in it twice")
    except Exception as error:  # zipfile and numpy know a dozen kinds of it, some of which are documented
        raise UserError(f"{path}: not a file of plain numpy arrays: {error or type(error).__name__}") from None
    return arrays


def _array(content: bytes) -> np.ndarray:
    file = io.BytesIO(content)
    version = npy.read_magic(file)
    header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, _, dtype = header(file)
    size = math.prod(shape) * dtype.itemsize
    if dtype.hasobject:
        raise ValueError("Python objects, which are not read")
    if not dtype.itemsize or min(shape, default=0) < 0 or size != len(content) - file.tell():
        raise ValueError(f"{dtype} of shape {shape} is not what stands in {len(content)} bytes")
    file.seek(0)
    return npy.read_array(file, allow_pickle=False)
