"""Reading an epoch of the feature cache at 1, 10 and 100 times the demo's size: images a second and memory.

Each size is read in a fresh process as training reads it: every caption once, in the epoch's order, a drawn view of
its image, in batches of 20.
"""

import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path

from tests.bench.row import seconds

DEMO, VIEWS, BATCH = 400, 2, 20  # training images of the demo, views of each, captions of a batch
SLICE = 20_000  # captions: more of an epoch than the smallest, a part of the largest
REPEATS = 3


def read(folder: Path) -> tuple[float, float]:
    """(images a second, the best of `REPEATS`; highest MiB of its own memory); one caption reads one image."""
    from torch.utils.data import DataLoader

    from captioning.dataset import CaptionTrain, caption_batch
    from tests.bench._memory import Peak
    from workflow.training.seeding import ResumableSampler

    data = CaptionTrain(str(folder / "captions.npz"), {"folder": str(folder)}, seed=0)
    times = []
    with Peak() as peak:
        for _ in range(REPEATS + 1):  # the first warms up
            loader = DataLoader(data, BATCH, sampler=ResumableSampler(data, BATCH), collate_fn=caption_batch)
            times.append(seconds(lambda loader=loader: [None for _ in islice(loader, SLICE // BATCH)]))
    return SLICE / min(times[1:]), peak.MiB


def point(times: int) -> tuple[str, int, float, float]:
    """One size, in a process of its own; the features are zeros (a sparse file)."""
    import numpy as np

    from tests.bench._captions import FEATURES, language

    images = DEMO * times
    with tempfile.TemporaryDirectory() as name:
        language(Path(name), images)
        shape = (images, VIEWS, FEATURES)
        np.lib.format.open_memmap(f"{name}/train.npy", mode="w+", dtype=np.float16, shape=shape).flush()
        command = [sys.executable, "-m", "tests.bench.scale_captioning", name]
        speed, memory = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    return "feature cache", images, speed, memory


def points() -> list[tuple[str, int, float, float]]:
    """(part, images, images a second, highest MiB of the process's own memory) at 1, 10 and 100 times the demo."""
    return [point(times) for times in (1, 10, 100)]


if __name__ == "__main__":
    print(json.dumps(read(Path(sys.argv[1]))))
