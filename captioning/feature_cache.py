"""Features of a frozen encoder, once per image and view, in memory-mapped .npy files. A fixed number of random views of
each training image stands in for a fresh crop each time; they follow from the image's id and the view's number alone,
so every epoch and every transfer seed shares them. A test image has its centre view. Kept as float16: 11 significant
bits, where a bf16 encoder has 8, at half the size of float32."""

import os
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset
from tqdm import tqdm

from backbones.backbone import load_backbone, network_of
from backbones.backbone import load_weights as read_backbone
from captioning.encoder import Encoder, centre_view, load, random_view
from captioning.task import FEATURE_KEYS
from workflow.core import code_hash
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import atomic, digest, read_hashed, read_json, sha256, write_hashed
from workflow.core.rng import rng
from workflow.data import coco
from workflow.planning.run_spec import RunSpec
from workflow.training.batches import fill_batch
from workflow.training.cpu_convs import channels_last
from workflow.training.hooks import autocast
from workflow.training.machine import machine
from workflow.training.precision import configure_torch
from workflow.training.resume.interrupts import data_worker, guard_workers

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
    loader = DataLoader(views, batch_size=together, num_workers=run.workers, worker_init_fn=data_worker)
    with torch.inference_mode(), autocast(run.recipe["precision"]):
        for batch in loader:
            inputs = fill_batch(batch.flatten(0, 1).to(device), together * views.shape[1])
            features = encoder(inputs)[: batch.shape[0] * batch.shape[1]].half()
            if not features.isfinite().all():
                raise UserError(f"{run.name}: the encoder's features leave float16's range: check the backbone")
            yield features.view(*batch.shape[:2], -1).cpu().numpy()


def fill(path: Path, encoder: Encoder, views: Views, run: RunSpec) -> None:
    """Compute one split into one .npy file, atomically."""
    bar = tqdm(total=views.shape[0] * views.shape[1], unit="view", desc=f"[{run.name}] {path.stem} features")
    with atomic(path) as temporary, bar:
        array = np.lib.format.open_memmap(temporary, mode="w+", dtype=np.float16, shape=views.shape)
        with temporary.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, temporary.stat().st_size)  # a full disk is an error, not a SIGBUS
        done = 0
        for batch in encoded(encoder, views, run):
            array[done : done + len(batch)] = batch
            done += len(batch)
            bar.update(batch.shape[0] * batch.shape[1])
        array.flush()


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


def made_with() -> dict[str, Any]:
    """By which code, libraries and machine; they are recorded, and said where a run has others (law 5)."""
    return {
        "code": code_hash.hashes(),
        "libraries": code_hash.libraries(),
        "machine": asdict(machine(torch.get_num_threads())),
    }


def read(folder: str | Path, split: str) -> np.ndarray:
    """The features of a split, (images, views, width) float16, mapped read-only."""
    return np.asarray(np.load(Path(folder) / f"{split}.npy", mmap_mode="r"))


def verify(folder: Path, run: RunSpec, check: DatasetInfo, backbone: Path) -> dict[str, Any]:
    """The index; UserError, naming the key or file, unless the features in `folder` were made of this run's backbone,
    data and views, and are as they were made."""
    if not (folder / "index.json").is_file():
        raise UserError(f"{folder}/index.json is missing: run `python -m captioning features` first")
    index = read_hashed(folder / "index.json", "files", "made_with", whole=folder)
    for key, value in origin(run, check, backbone).items():
        if index.get(key) != value:
            raise UserError(f"{folder}/index.json: made with {key} {index.get(key)}, but this run has {value}")
    return index


def identity(folder: Path) -> str:
    """What tells the content of an artifact, features or vocabulary, from another's."""
    return digest(read_json(folder / "index.json", "files")["files"])


def differences(folder: Path, index: dict[str, Any]) -> list[str]:
    """What an artifact with this index was made with and this process has not, and whether it has been made again since
    it was opened, a line each."""
    made, here = index["made_with"], made_with()
    found = [f"{folder}: made by another {name}" for name in code_hash.edited(made["code"])]
    for kind in ("libraries", "machine"):
        for name, value in made.get(kind, {}).items():
            if name != "threads" and here[kind].get(name) != value:
                found.append(f"{folder}: made with {name} {value}, this run has {here[kind].get(name)}")
    again = not (folder / "index.json").is_file() or identity(folder) != digest(index["files"])
    return found + [f"{folder} has changed since it was loaded"] * again
