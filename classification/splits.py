"""Which training images are fine-tuned on, and which are held out: drawn by class, so that each keeps its share."""

from dataclasses import dataclass

import numpy as np

from classification.task import HELD_OUT
from workflow.core.rng import rng


def stratified(targets: np.ndarray, places: np.ndarray, fraction: float, *keys: int | str) -> np.ndarray:
    """A share of some images, of each class at least one.

    Args:
        targets: class of each image of the set, (N,).
        places: of the images to draw from, (M,).
        fraction: of each class.
        keys: what the draws follow from.

    Returns:
        Their places, ascending.
    """
    chosen = []
    for label in np.unique(targets[places]).tolist():
        members = places[targets[places] == label]
        count = max(1, round(fraction * len(members)))
        chosen.append(rng(*keys, label).permutation(members)[:count])
    return np.sort(np.concatenate(chosen)) if chosen else places


@dataclass(frozen=True)
class Split:
    """Places of training images.

    Args:
        fit: those to train on.
        val: held-out ones.
    """

    fit: np.ndarray
    val: np.ndarray


def split(targets: np.ndarray, fraction: float = 1.0, seed: int = 0, held_out: float = HELD_OUT) -> Split:
    """The same images are held out whatever the seed; a class of one image has none.

    Args:
        targets: class of each training image, (N,).
        fraction: of what is not held out, to train on.
        seed: of the draws of this fraction.
        held_out: share that is held out; 0: nothing.
    """
    places = np.arange(len(targets))
    several = places[np.bincount(targets)[targets] > 1] if held_out else places[:0]
    val = stratified(targets, several, held_out, "held out")
    rest = np.setdiff1d(places, val)
    fit = rest if fraction == 1 else stratified(targets, rest, fraction, seed, "fraction")
    return Split(fit, val)
