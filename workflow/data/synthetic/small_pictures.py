"""Drawn pictures of one size in memory: what the synthetic CIFAR and FashionMNIST have in common."""

import numpy as np

from workflow.contracts import DataSet
from workflow.core.rng import rng
from workflow.data.synthetic.scenes import progress, single_object_scene
from workflow.data.synthetic.sprites import Shapes


def pictures(data: DataSet, spec: dict, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pixels (N, H, W, 3) and labels (N,), uint8, of a part; image i follows from (the seed, the set, the part, i)."""
    shapes = Shapes(spec["classes"])
    labels = np.arange(spec[part], dtype=np.uint8) % len(shapes.names)
    drawn = [
        single_object_scene(
            int(labels[index]), shapes, data.pixels, rng("synthetic", data.name, spec["seed"], part, index)
        ).pixels
        for index in progress(f"{data.title} {part}", spec[part])
    ]
    return np.stack(drawn), labels
