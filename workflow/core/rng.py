"""The one source of the project's own random draws: a numpy generator keyed by what the draw belongs to."""

import hashlib

import numpy as np


def rng(*keys: int | str) -> np.random.Generator:
    """A generator that follows from `keys` alone, e.g. `rng(seed, "cutmix", iteration)`; equal keys, equal draws."""
    value = int.from_bytes(hashlib.sha256(repr(keys).encode()).digest()[:16], "little")
    return np.random.Generator(np.random.Philox(key=value))
