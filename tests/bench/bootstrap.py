"""How long the bootstrap of mAP takes at VOC07's size, against rescoring each resample: `make bench`.

4,952 images with 200 detections each, 20 classes, two backbones, 1,000 resamples, on one core.
"""

import resource
import time

import numpy as np

from tests.bench.simulated import Noise, detector, scene
from workflow.reporting.average_precision import VOC_POINTS
from workflow.reporting.bootstrap import RESAMPLES, resample, weights
from workflow.reporting.evidence import Evidence
from workflow.reporting.intervals import interval

IMAGES, CLASSES, DETECTIONS = 4952, 20, 200
TRIED = 5  # resamples that are rescored


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
    return Evidence("simulated", np.arange(IMAGES), arrays)


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


def main() -> None:
    """Print seconds, memory and the ratio; fail where the two ways do not agree."""
    rng = np.random.default_rng(0)
    sides = [full(rng), full(rng)]
    start = time.perf_counter()
    draws = [resample(side)["mAP"] for side in sides]
    found = interval(draws[:1], draws[1:], draws[0].point - draws[1].point)
    ours = time.perf_counter() - start
    drawn = next(weights(IMAGES))[:, :TRIED]
    start = time.perf_counter()
    plain = [[rescored(side.arrays, column) for column in drawn.T] for side in sides]
    theirs = (time.perf_counter() - start) / TRIED * RESAMPLES
    np.testing.assert_allclose(plain, [each.draws[:TRIED] for each in draws], atol=1e-9)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
    print(f"{RESAMPLES} resamples of {IMAGES} images with {DETECTIONS} detections, {CLASSES} classes, 2 backbones:")
    print(f"{ours:.1f} s, {memory:.0f} MiB at most")
    print(f"rescoring each resample: {theirs:.0f} s, {theirs / ours:.0f} times as long")
    print(f"interval of the change: {found.low:+.2f} to {found.high:+.2f} points")


if __name__ == "__main__":
    main()
