"""What VOC scoring costs as the test set grows: 1, 10 and 100 times the demo's 150 images, 200 detections on each.

From what the network hands over to the written files: predictions.json, per_image.npz and the numbers.
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.bench._memory import Peak
from tests.bench.row import seconds

HOUSE = Path(__file__).parents[2]
DEMO, TIMES = 150, (1, 10, 100)
WARM, REPEATS = 20, 3

Point = tuple[str, int, float, float]


def points() -> list[Point]:
    """(part, images, images a second, peak MiB of the process), each from a fresh process."""
    return [_fresh(DEMO * times) for times in TIMES]


def _fresh(images: int) -> Point:
    command = [sys.executable, "-W", "ignore", "-m", "tests.bench.scale_detection", str(images)]
    line = subprocess.run(command, cwd=HOUSE, check=True, capture_output=True, text=True).stdout.splitlines()[-1]
    speed, peak = map(float, line.split())
    return "VOC scoring", images, speed, peak


def measured(images: int) -> tuple[float, float]:
    """Images a second of scoring so many, the best of `REPEATS` after a small set to warm up; the peak in MiB."""
    with Peak() as peak:
        scored(WARM)
        best = min(scored(images) for _ in range(REPEATS))
    return images / best, peak.MiB


def scored(images: int) -> float:
    """Seconds; making the detections up is not timed."""
    import numpy as np

    from detection.metric import VOC07Metric
    from tests.bench import scoring

    draw, spent = np.random.default_rng(0), 0.0
    with tempfile.TemporaryDirectory() as folder:
        metric = VOC07Metric(folder)
        metric.dataset_meta = {"classes": [str(label) for label in range(scoring.CLASSES)]}
        for image in range(images):
            one = sample(draw, image)
            spent += seconds(lambda one=one: metric.process(None, [one]))
        return spent + seconds(lambda: metric.compute_metrics(metric.results))


def sample(draw: Any, number: int) -> dict[str, Any]:
    """What the network hands over for an image."""
    import numpy as np
    import torch

    from tests.bench import scoring

    annotation = scoring.truth(draw)
    boxes, labels = scoring.detections(draw, annotation)
    arrays = {"bboxes": boxes, "labels": labels, "scores": draw.random(len(labels), dtype=np.float32)}
    made = {"img_id": number, "pred_instances": {key: torch.from_numpy(x) for key, x in arrays.items()}}
    for key, kind in (("gt_instances", ""), ("ignored_instances", "_ignore")):
        made[key] = {name: torch.from_numpy(annotation[name + kind]) for name in ("bboxes", "labels")}
    return made


def main() -> None:
    """One point, for `points`."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.scale_detection", description=__doc__)
    parser.add_argument("images", type=int)
    print(*measured(parser.parse_args().images))


if __name__ == "__main__":
    main()
