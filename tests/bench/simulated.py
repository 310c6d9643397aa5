"""Simulated networks with a known gap: what shared images, a backbone, a seed, and a seed on an image add is set.

A detector scores each object with its ability plus the object's ease plus noise, and misses what falls too low; false
alarms have scores of their own. A captioner has a skewed score an image, as CIDEr is. `Noise` is in the units of these
scores; the gap in points that follows for a detector is found by simulation (coverage.py).
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from detection.task import RESAMPLING
from workflow.reporting.statistics.per_image import Evidence

MISSED = -3.0  # an object that scores lower is not found: few, so that mean mAP is smooth in the ability
OBJECTS, ALARMS = 0.5, 1.5  # per image and class


class Noise(NamedTuple):
    """Standard deviations of what a seed adds on all images, a backbone on an image, a seed on an image."""

    seed: float
    backbone_image: float
    seed_image: float


class Scene(NamedTuple):
    """Candidates (D,): their image and class, whether they are objects, and how easily each gets a high score."""

    image: np.ndarray
    label: np.ndarray
    real: np.ndarray
    ease: np.ndarray
    truths: np.ndarray


def scene(rng: np.random.Generator, images: int, classes: int) -> Scene:
    """The test images, which all networks share."""
    counts = rng.poisson(OBJECTS, (images, classes)), rng.poisson(ALARMS, (images, classes))
    places = [np.repeat(np.arange(images * classes), count.ravel()) for count in counts]
    place, real = np.concatenate(places), np.repeat([True, False], [len(found) for found in places])
    ease = rng.standard_normal(len(place)) - 2 * ~real
    return Scene(place // classes, place % classes, real, ease, counts[0].astype(np.int32))


def detector(rng: np.random.Generator, seen: Scene, ability: float, own: np.ndarray, noise: Noise) -> Evidence:
    """One network; `own` (D,) is what its backbone adds to each candidate."""
    score = seen.ease + own + noise.seed_image * rng.standard_normal(len(own)) + ability * seen.real
    kept = np.flatnonzero(~seen.real | (score > MISSED))
    order = kept[np.lexsort((-score[kept], seen.label[kept]))]
    arrays = {"image": seen.image[order], "label": seen.label[order], "score": score[order]}
    arrays |= {"hit": seen.real[order, None], "left": np.zeros((len(order), 1), dtype=bool), "truths": seen.truths}
    return Evidence(Path("simulated"), np.arange(len(seen.truths)), arrays, resampling=(RESAMPLING,))


def detectors(
    rng: np.random.Generator, noise: Noise, gap: float, n: int, images: int, classes: int
) -> tuple[list[list[Evidence]], np.ndarray]:
    """n networks of two backbones on the same images, and their abilities (2, n); `gap` is that of the abilities."""
    seen = scene(rng, images, classes)
    abilities = noise.seed * rng.standard_normal((2, n)) + [[gap], [0.0]]
    sides = []
    for row in abilities:
        own = noise.backbone_image * rng.standard_normal(len(seen.image))
        sides.append([detector(rng, seen, ability, own, noise) for ability in row])
    return sides, abilities


def captioners(
    rng: np.random.Generator, noise: Noise, gap: float, n: int, images: int
) -> tuple[list[list[Evidence]], np.ndarray]:
    """The same for a score that is a mean over the images: abilities are in points, and so is `gap`."""
    abilities = noise.seed * rng.standard_normal((2, n)) + [[gap], [0.0]]
    ease = 30 * rng.gamma(2.0, size=images)
    own = noise.backbone_image * (rng.gamma(1.0, size=(2, 1, images)) - 1)
    values = ease + own + noise.seed_image * (rng.gamma(1.0, size=(2, n, images)) - 1) + abilities[:, :, None]
    names = np.arange(images)
    return [[Evidence(Path("simulated"), names, {"CIDEr": run}) for run in side] for side in values], abilities
