"""What it costs to load images for pretraining at 1, 10 and 100 times the demo's 3,200: images a second and memory.

The loader is that of the demo's config. The larger sets are hard links to the images of the smallest, so their bytes
lie in the system's cache whatever the size: what differs is the list of files, its order and the way to a file.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench.row import seconds

HOUSE = Path(__file__).parents[2]
TIMES, PART, REPEATS = (1, 10, 100), 3200, 5  # images that are timed at once, a whole epoch of the demo


def demo() -> dict[str, Any]:
    """--run of the demo's baseline, loading in its own process."""
    from workflow.config import load
    from workflow.plan import plan

    return plan(load(HOUSE / "config/demo.yaml") | {"workers": 0, "threads": 1}).runs[0].run


def anonymous() -> float:
    """MiB of this process's own memory: without files that are mapped."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("RssAnon"))
    return int(line.split()[1]) / 2**10


def measured(root: Path) -> tuple[float, float]:
    """(images a second, the best of `REPEATS`; MiB at the end) of batches in the order of training."""
    import torch
    from mmengine.runner import Runner

    import pretrain.dataset
    import pretrain.model  # noqa: F401 (registers)
    from pretrain.train import task
    from workflow.training.run import Run

    torch.set_num_threads(1)
    run = Run(**demo())
    check = {"root": str(root), "classes": sorted(path.name for path in (root / "train").iterdir())}
    loader = Runner.build_dataloader(task(run, check, root)["train_dataloader"], seed=0)
    batches, count = iter(loader), PART // run.recipe["batch"]
    part = lambda: [None for _ in islice(batches, count)]  # noqa: E731
    part()
    return PART / min(seconds(part) for _ in range(REPEATS)), anonymous()


def linked(small: Path, times: int) -> Path:
    """The set with each image `times` over."""
    if times == 1:
        return small
    root = small.with_name(f"times{times}")
    for file in small.rglob("train/*/*"):
        folder = root / file.parent.relative_to(small)
        folder.mkdir(parents=True, exist_ok=True)
        for copy in range(times):
            os.link(file, folder / f"{copy}_{file.name}")
    (root / "val").symlink_to(small / "val")
    return root


def points() -> Iterator[tuple[str, int, float, float]]:
    """(part, images, images a second, peak MiB), each size in a fresh process."""
    from workflow.data import synthetic

    with tempfile.TemporaryDirectory() as folder:
        spec = demo()["data"]["synthetic"]
        small = Path(folder) / "imagenet"
        synthetic.make("imagenet", spec, small)
        for times in TIMES:
            call = [sys.executable, "-W", "ignore", "-m", "tests.bench.scale_loading", str(linked(small, times))]
            said = subprocess.run(call, cwd=HOUSE, check=True, capture_output=True, text=True).stdout
            yield "loader", spec["train"] * times, *json.loads(said.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(measured(Path(sys.argv[1]))))
