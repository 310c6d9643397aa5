"""A synthetic FashionMNIST: shapes in grey, in IDX files that are compressed as the official ones."""

import gzip
from pathlib import Path

import numpy as np

from workflow.core.errors import UserError
from workflow.data.fashion_mnist import IMAGES, LABELS, PREFIX
from workflow.data.idx import MAGIC
from workflow.data.sets.fashion_mnist import DATASET
from workflow.data.synthetic.small_pictures import pictures


def make(root: Path, spec: dict) -> None:
    """The four files."""
    if spec["classes"] > DATASET.classes:
        most = f"at most {DATASET.classes}, the classes that the set has"
        raise UserError(f"synthetic {DATASET.name}: classes must be {most}, not {spec['classes']}")
    for part in DATASET.parts:
        pixels, labels = pictures(DATASET, spec, part)
        for name, values in ((IMAGES, pixels.mean(axis=3).astype(np.uint8)), (LABELS, labels)):
            header = np.array([MAGIC[values.ndim], *values.shape], dtype=">u4").tobytes()
            content = gzip.compress(header + values.tobytes(), mtime=0)
            (root / f"{name.format(PREFIX[part])}.gz").write_bytes(content)
