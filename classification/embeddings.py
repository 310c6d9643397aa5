"""Features of a frozen backbone, one of each training and test image by its own preprocessing and one deterministic
transform: what its classifier gets. All tasks and instances with the same sizes and precision share them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tqdm import tqdm

from backbones.backbone import load_backbone, load_weights, network_of
from backbones.construct import encoder
from backbones.images import TestImages
from classification.task import EMBEDDING_KEYS
from workflow.contracts import INDEX
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import sha256, write_hashed
from workflow.data import labelled
from workflow.planning.run_spec import RunSpec
from workflow.training import shared_artifact
from workflow.training.batches import fill_batch, load_batches
from workflow.training.cpu_convs import channels_last
from workflow.training.device_copies import downloaded
from workflow.training.hooks import autocast
from workflow.training.precision import configure_torch
from workflow.training.resume.interrupts import guard_workers

BATCH = 64  # images in one pass
PARTS = {"train": labelled.open_train, "test": labelled.open_test}


def origin(run: RunSpec, check: DatasetInfo, backbone: Path) -> dict[str, Any]:
    """All that the features depend on; part of their index."""
    return {key: run.recipe[key] for key in EMBEDDING_KEYS} | {"data": check.fingerprint, "backbone": sha256(backbone)}


def test_images(source: labelled.ImageSource, recipe: dict[str, Any]) -> TestImages:
    """Images by the one deterministic transform of this room: short side to `resize_size`, centre crop."""
    return TestImages(source, recipe | {"val_resize_size": recipe["resize_size"]})


class Embedder:
    """A frozen network without its classifier, in eval mode, on the device in use.

    Args:
        backbone: published.
        expected: its SHA-256, if a run has recorded it.
    """

    def __init__(self, backbone: Path, expected: str | None = None) -> None:
        self.declared, self.prepare = network_of(backbone), load_weights(backbone, expected)[1]
        self.network = encoder(self.declared).eval().requires_grad_(False)
        load_backbone(backbone, self.network, expected=expected)
        channels_last(self.network.to("cuda" if torch.cuda.is_available() else "cpu"))

    def batches(self, images: TestImages, run: RunSpec) -> Iterator[np.ndarray]:
        """Features (N, F) float16 of images, batch by batch, in their order.

        Raises:
            UserError: if they leave float16's range.
        """
        device = next(self.network.parameters()).device

        def computed() -> Iterator[torch.Tensor]:
            for batch in load_batches(images, run.workers, batch_size=BATCH):
                pixels = fill_batch(batch["images"].to(device, non_blocking=True), BATCH)
                prepared = self.prepare(pixels.contiguous(memory_format=torch.channels_last))
                yield self.network(prepared)[: len(batch["images"])].half()

        with guard_workers(run.name, run.workers), torch.inference_mode(), autocast(run.recipe["precision"]):
            for features in downloaded(computed()):
                if not features.isfinite().all():
                    raise UserError(f"{run.name}: features leave float16's range: check the backbone")
                yield features.numpy()


def make(run: RunSpec, backbone: Path, check_file: Path, out: Path) -> None:
    """Write `train.npy` and `test.npy` (images, features), and last their index."""
    configure_torch(run.threads)
    check = DatasetInfo.read(check_file)
    index = origin(run, check, backbone)
    embedder = Embedder(backbone, index["backbone"])
    for part, open_part in PARTS.items():
        source = open_part(check)
        with tqdm(total=len(source), unit="image", desc=f"[{run.name}] {part} images") as bar:
            batches = counted(embedder.batches(test_images(source, run.recipe), run), bar)
            shared_artifact.write_array(out / f"{part}.npy", (len(source), embedder.declared.features), batches)
    index["made_with"] = shared_artifact.made_with()
    write_hashed(out / INDEX, index, [out / f"{part}.npy" for part in PARTS])


def counted(batches: Iterator[np.ndarray], bar: tqdm) -> Iterator[np.ndarray]:
    """The same batches; the bar counts their rows."""
    for batch in batches:
        yield batch
        bar.update(len(batch))


def verify(folder: Path, run: RunSpec, check: DatasetInfo, backbone: Path) -> dict[str, Any]:
    """The index of a folder; UserError unless it has the features of this run's backbone, data and sizes."""
    return shared_artifact.verify(folder, origin(run, check, backbone), "classification embeddings")
