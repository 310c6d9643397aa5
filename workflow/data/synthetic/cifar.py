"""A synthetic CIFAR in the official binary files; the classes are shapes."""

from pathlib import Path

import numpy as np

from workflow.contracts import DataSet
from workflow.core.errors import UserError
from workflow.data import cifar10, cifar100
from workflow.data.cifar import Files
from workflow.data.sets.cifar10 import DATASET as TEN
from workflow.data.sets.cifar100 import DATASET as HUNDRED
from workflow.data.synthetic.small_pictures import pictures
from workflow.data.synthetic.sprites import Shapes


def make(root: Path, spec: dict, data: DataSet, files: Files) -> None:
    """Image i of the training part is in file i of its files, turn by turn."""
    if spec["train"] < len(files.train):
        least = f"at least {len(files.train)}, an image for each file"
        raise UserError(f"synthetic {data.name}: train must be {least}, not {spec['train']}")
    for part in data.parts:
        pixels, labels = pictures(data, spec, part)
        planes = pixels.transpose(0, 3, 1, 2).reshape(len(pixels), -1)
        coarse = np.zeros((len(pixels), files.labels - 1), dtype=np.uint8)
        table = np.hstack([coarse, labels[:, None], planes])
        names = getattr(files, part)
        for place, name in enumerate(names):
            (root / name).write_bytes(table[place :: len(names)].tobytes())
    (root / files.names).write_text("".join(f"{name}\n" for name in Shapes(spec["classes"]).names))


def make_ten(root: Path, spec: dict) -> None:
    """In the layout of CIFAR-10."""
    make(root, spec, TEN, cifar10.FILES)


def make_hundred(root: Path, spec: dict) -> None:
    """In the layout of CIFAR-100."""
    make(root, spec, HUNDRED, cifar100.FILES)
