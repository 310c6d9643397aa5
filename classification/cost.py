"""What classification costs here (workflow/planning/cost.py)."""

import dataclasses
from pathlib import Path

import numpy as np

from backbones.backbone import metadata, publish_untrained
from classification.embeddings import Embedder, test_images
from classification.evaluate import CLASSIFY
from classification.train import task
from workflow.core.dataset_info import DatasetInfo
from workflow.data import labelled
from workflow.planning.run_spec import RunSpec
from workflow.training import timing
from workflow.training.precision import configure_torch
from workflow.training.resume.parts import FinishedParts

ROWS = 4096  # training images, and as many test images, that classification is timed on: the drawn ones again and again


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """Seconds of a step and of a test image, of all images that errors are measured on; of what trains nothing, of the
    features of an image, and of its classification."""
    check, backbone, state = DatasetInfo.read(check_file), out / "backbone.safetensors", out / "state"
    publish_untrained(backbone, network)
    if run.type not in CLASSIFY:
        whole = dataclasses.replace(run, recipe=run.recipe | {"fraction": 1.0})
        whole = timing.few_images(whole, run.recipe["crop_size"])
        start = lambda model: model.load(backbone)  # noqa: E731
        config = task(whole, check, metadata(backbone), {}, state, held_out=0.0)
        return timing.measure(whole, config, labelled.train_count(check), state, start)
    configure_torch(run.threads)
    embedder, sources = Embedder(backbone), {"train": labelled.open_train(check), "test": labelled.open_test(check)}
    first, passed, embedded = timing.now(), {}, 0.0
    for part, source in sources.items():  # a batch comes when the next is begun, so only all together are timed
        begun = timing.now()
        passed[part] = np.concatenate([*embedder.batches(test_images(source, run.recipe), run)])
        embedded = (timing.now() - begun) / len(source)  # the last part counts: the one before has warmed up
    rows = {part: np.resize(np.arange(len(source)), ROWS) for part, source in sources.items()}
    features = {part: passed[part][rows[part]] for part in sources}
    labels, begun = np.asarray(sources["train"].targets)[rows["train"]], timing.now()
    CLASSIFY[run.type](run, features, labels, len(check.classes), FinishedParts(state, {}, run.name))
    timed = timing.now() - begun
    return {"embeddings": embedded, "image": timed / (2 * ROWS), "timed": begun - first + timed}
