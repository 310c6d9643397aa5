"""What a resample of the test images needs, beside the record: `evidence.npz`, plain arrays (design: Contracts).

The report resamples images without the task's code; what the arrays are is said in workflow/reporting/evidence.py.
"""

from pathlib import Path

import numpy as np

from workflow.training.files import atomic


def write(path: str | Path, images: np.ndarray | list, **arrays: np.ndarray) -> None:
    """Write arrays about the test images `images` (N,), integers or texts, atomically. Equal arrays are equal bytes."""
    with atomic(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, images=np.asarray(images), **arrays)
