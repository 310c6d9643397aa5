"""How long the bootstrap of mAP takes at VOC07's size, against rescoring each resample.

4,952 images with 200 detections each, 20 classes, two backbones, 1,000 resamples.
"""

import numpy as np

from detection.average_precision import VOC_POINTS
from detection.task import RESAMPLING
from tests.bench.row import REPEATS, Measured, Row, seconds
from tests.bench.simulated import Noise, detector, scene
from workflow.reporting.statistics.bootstrap import RESAMPLES, resample, weights
from workflow.reporting.statistics.per_image import Evidence

IMAGES, CLASSES, DETECTIONS = 4952, 20, 200


def full(rng: np.random.Generator) -> Evidence:
    """A detector with as many detections as VOC's metric keeps; the ones added stand anywhere in the ranking."""
    seen = scene(rng, IMAGES, CLASSES)
    found = detector(rng, seen, 0.0, np.zeros(len(seen.image)), Noise(0, 0, 0.5)).arrays
    more = IMAGES * DETECTIONS - len(found["image"])
    added = {"image": rng.integers(IMAGES, size=more), "label": rng.integers(CLASSES, size=more)}
    added |= {
        "score": rng.normal(-2, 2, size=more),
        "hit": np.zeros((more, 1), bool),
        "left": np.zeros((more, 1), bool),
    }
    arrays = {key: np.concatenate([found[key], array]) for key, array in added.items()}
    order = np.lexsort((-arrays["score"], arrays["label"]))
    arrays = {key: array[order] for key, array in arrays.items()} | {"truths": found["truths"]}
    return Evidence("simulated", np.arange(IMAGES), arrays, resampling=(RESAMPLING,))


def rescored(arrays: dict[str, np.ndarray], drawn: np.ndarray) -> float:
    """mAP by 11 points of one resample, the plain way: every detection repeated, sorted and summed."""
    each = []
    for label in range(CLASSES):
        own = np.flatnonzero(arrays["label"] == label)
        chosen = np.repeat(own, drawn[arrays["image"][own]])
        chosen = chosen[np.argsort(-arrays["score"][chosen], kind="stable")]
        right = arrays["hit"][chosen, 0].cumsum()
        recall, precision = right / (arrays["truths"][:, label] @ drawn), right / np.arange(1, len(chosen) + 1)
        each.append(np.mean([precision[recall >= point].max(initial=0) for point in VOC_POINTS]))
    return 100 * float(np.mean(each))


def measure() -> Measured:
    """Both ways give the same numbers; one rescored resample stands for all of them."""
    rng = np.random.default_rng(0)
    sides = [full(rng), full(rng)]
    drawn = next(weights(IMAGES))[:, :REPEATS]
    plain = [[rescored(side.arrays, column) for column in drawn.T] for side in sides]
    np.testing.assert_allclose(plain, [resample(side)["mAP"].draws[:REPEATS] for side in sides], atol=1e-9)
    pairs = []
    for column in drawn.T:  # both sides are warm
        own = seconds(lambda: [resample(side) for side in sides])
        theirs = seconds(lambda column=column: [rescored(side.arrays, column) for side in sides])
        pairs.append((own, RESAMPLES * theirs))
    return Measured.of(pairs)


ROWS = [
    Row(
        name="bootstrap",
        what="1,000 resamples of mAP, VOC07's size, two backbones",
        reference="one resample scored anew × 1,000",
        unit="s",
        target=1.0,
        measure=measure,
    )
]
