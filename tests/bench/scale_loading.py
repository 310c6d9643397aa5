"""What it costs to load images for pretraining at 1, 10 and 100 times the demo's 3,200: images a second and memory.

The loader is that of the demo's config. The larger sets are hard links to the images of the smallest, so their bytes
lie in the system's cache whatever the size: what differs is the list of files, its order and the way to a file.
"""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from tests.bench._memory import Peak
from tests.bench.row import seconds
from tests.checks import info

HOUSE = Path(__file__).parents[2]
TIMES, PART, REPEATS = (1, 10, 100), 3200, 5  # images that are timed at once, a whole epoch of the demo


def demo() -> dict[str, Any]:
    """--run-spec of the demo's baseline, loading in its own process."""
    from workflow.config.loading import load
    from workflow.planning.plan import plan

    return plan(load(HOUSE / "config/demo.yaml")).runs[0].run


def serve(root: Path) -> None:
    """For each line that comes in: load a part in the order of training; print its seconds and MiB."""
    import torch
    from mmengine.runner import Runner

    import pretrain.dataset
    import pretrain.model  # noqa: F401 (registers)
    from pretrain.train import task
    from workflow.planning.run_spec import RunSpec

    torch.set_num_threads(1)
    run = RunSpec(**demo())
    check = info(set="imagenet", root=str(root), classes=sorted(path.name for path in (root / "train").iterdir()))
    loader = Runner.build_dataloader(task(run, check, root)["train_dataloader"], seed=0)
    batches, count = iter(loader), PART // run.recipe["batch_size"]
    for _ in sys.stdin:
        with Peak() as peak:
            taken = seconds(lambda: [None for _ in islice(batches, count)])
        print(json.dumps([taken, peak.MiB]), flush=True)


def ask(process: subprocess.Popen) -> tuple[float, float]:
    """One part: (seconds, MiB)."""
    process.stdin.write("go\n")
    process.stdin.flush()
    return json.loads(process.stdout.readline())


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


def points() -> list[tuple[str, int, float, float]]:
    """(part, images, images a second, peak MiB): each size in a process of its own, which take turns; the best of
    `REPEATS` after a part to warm up."""
    from workflow.data.synthetic import generate

    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as ended:
        spec, small = demo()["data"]["synthetic"], Path(folder) / "imagenet"
        generate.make("imagenet", spec, small)
        call, pipes = [sys.executable, "-W", "ignore", "-m", "tests.bench.scale_loading"], {"text": True, "cwd": HOUSE}
        pipes |= {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        roots = [str(linked(small, times)) for times in TIMES]
        processes = [ended.enter_context(subprocess.Popen([*call, root], **pipes)) for root in roots]
        rounds = [[ask(process) for process in processes] for _ in range(1 + REPEATS)]
    best = [(min(taken for taken, _ in each), max(size for _, size in each)) for each in zip(*rounds[1:], strict=True)]
    return [
        ("loader", spec["train"] * times, PART / taken, size) for times, (taken, size) in zip(TIMES, best, strict=True)
    ]


if __name__ == "__main__":
    serve(Path(sys.argv[1]))
