"""Features of a frozen encoder, once per image and view, in memory-mapped .npy files. A fixed number of random views of
each training image stands in for a fresh crop each time; they follow from the image's id and the view's number alone,
so every epoch and every transfer seed shares them. A test image has its centre view. Kept as float16: 11 significant
bits, where a bf16 encoder has 8, at half the size of float32."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset
from tqdm import tqdm

from backbones.backbone import load_backbone, network_of
from backbones.backbone import load_weights as read_backbone
from captioning.encoder import Encoder, centre_view, load, random_view
from captioning.task import FEATURE_KEYS
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import sha256, write_hashed
from workflow.core.rng import rng
from workflow.data import coco
from workflow.planning.run_spec import RunSpec
from workflow.training import shared_artifact
from workflow.training.batches import fill_batch, load_batches
from workflow.training.cpu_convs import channels_last
from workflow.training.device_copies import downloaded
from workflow.training.hooks import autocast
from workflow.training.precision import configure_torch
from workflow.training.resume.interrupts import guard_workers
from workflow.training.shared_artifact import made_with, write_array

BATCH = 64  # views in one pass of the encoder, about


def origin(run: RunSpec, check: DatasetInfo, backbone: Path) -> dict[str, Any]:
    """All that the features depend on; part of their index."""
    values = {key: run.recipe[key] for key in FEATURE_KEYS}
    return {**values, "data": check.fingerprint, "backbone": sha256(backbone)}


class Views(Dataset):
    """All views of each image of a split: uint8 (views, 3, crop, crop). `shape`: of their features."""

    def __init__(self, samples: list[coco.Captioned], split: str, recipe: dict[str, Any], width: int) -> None:
        self.samples, self.recipe, self.test = samples, recipe, split == "test"
        self.shape = (len(samples), 1 if self.test else recipe["num_views"], width)

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, index: int) -> torch.Tensor:
        path, image_id, _ = self.samples[index]
        image, crop = load(path, self.recipe["resize_size"]), self.recipe["crop_size"]
        if self.test:
            return centre_view(image, crop).unsqueeze(0)
        draws = [rng("view", image_id, view) for view in range(self.recipe["num_views"])]
        return torch.stack([random_view(image, crop, draw) for draw in draws])


def encoded(encoder: Encoder, views: Views, run: RunSpec) -> Iterator[np.ndarray]:
    """Features (images, views, width) as float16, batch by batch, in the order of `views`."""
    device = next(encoder.parameters()).device
    together = max(1, BATCH // views.shape[1])

    def computed() -> Iterator[torch.Tensor]:
        for batch in load_batches(views, run.workers, batch_size=together):
            inputs = fill_batch(batch.flatten(0, 1).to(device, non_blocking=True), together * views.shape[1])
            features = encoder(inputs)[: batch.shape[0] * batch.shape[1]].half()
            yield features.view(*batch.shape[:2], -1)

    with torch.inference_mode(), autocast(run.recipe["precision"]):
        for features in downloaded(computed()):
            if not features.isfinite().all():
                raise UserError(f"{run.name}: the encoder's features leave float16's range: check the backbone")
            yield features.numpy()


def fill(path: Path, encoder: Encoder, views: Views, run: RunSpec) -> None:
    """Compute one split into one .npy file, atomically."""
    bar = tqdm(total=views.shape[0] * views.shape[1], unit="view", desc=f"[{run.name}] {path.stem} features")
    with bar:
        write_array(path, views.shape, counted(encoded(encoder, views, run), bar))


def counted(batches: Iterator[np.ndarray], bar: tqdm) -> Iterator[np.ndarray]:
    """The same batches (images, views, width); the bar counts their views."""
    for batch in batches:
        yield batch
        bar.update(batch.shape[0] * batch.shape[1])


def make(run: RunSpec, backbone: Path, check_file: Path, out: Path) -> None:
    """Write `train.npy` and `test.npy` (images, views, width), and last `index.json` with the image ids of the rows."""
    configure_torch(run.threads)
    check, network = DatasetInfo.read(check_file), network_of(backbone)
    encoder = Encoder(read_backbone(backbone)[1], network)
    load_backbone(backbone, encoder.network)
    channels_last(encoder.to("cuda" if torch.cuda.is_available() else "cpu"))
    index = origin(run, check, backbone)
    for split in ("train", "test"):
        samples = coco.read(check, split)
        with guard_workers(run.name, run.workers):
            fill(out / f"{split}.npy", encoder, Views(samples, split, run.recipe, network.features), run)
        index[split] = [sample.image_id for sample in samples]
    index["made_with"] = made_with()
    write_hashed(out / "index.json", index, [out / f"{split}.npy" for split in ("train", "test")])


def verify(folder: Path, run: RunSpec, check: DatasetInfo, backbone: Path) -> dict[str, Any]:
    """The index of the features; UserError unless they are those of this run's backbone, data and views."""
    return shared_artifact.verify(folder, origin(run, check, backbone), "captioning features")
