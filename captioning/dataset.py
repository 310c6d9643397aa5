"""COCO captions for NIC: one training sample is one caption of one image, seen in one random view.

The image side is either the cached features of a frozen encoder or the photos themselves (fine-tuning).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmengine.registry import DATASETS, FUNCTIONS
from torch.nn.utils.rnn import pad_sequence

from captioning import encoder
from captioning.vocabulary import PAD, captions_of
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.core.rng import rng
from workflow.data import coco
from workflow.data.held_out import part_of
from workflow.training.shared_artifact import read_array


class CachedViews:
    """The views of a split's images as cached features (2048,); a random one as its place among all views, where these
    are `on_device`."""

    def __init__(self, folder: str, split: str, on_device: bool = False) -> None:
        self.views = read_array(folder, split)
        self.folder, self.split, self.on_device = folder, split, on_device

    def name(self, row: int) -> str:
        """The image, by what its file's name is made of."""
        return f"image {read_json(Path(self.folder) / 'index.json')[self.split][row]}"

    def random(self, row: int, draw: np.random.Generator) -> np.ndarray | np.int64:
        """One of an image's views."""
        view = draw.integers(self.views.shape[1])
        return np.int64(row * self.views.shape[1] + view) if self.on_device else self.views[row, view]

    def test(self, row: int) -> np.ndarray:
        """The only view of a test image, the first one of a training image."""
        return self.views[row, 0]


class Photos:
    """The photos of a split as uint8 images (3, crop, crop), a fresh random view each time."""

    def __init__(self, check: str, split: str, resize_size: int, crop_size: int) -> None:
        self.paths = [image.path for image in coco.read(DatasetInfo.read(check), split)]
        self.resize, self.crop = resize_size, crop_size

    def name(self, row: int) -> str:
        """The image's file."""
        return str(self.paths[row])

    def random(self, row: int, draw: np.random.Generator) -> np.ndarray:
        """A random crop, flipped half the time."""
        return encoder.random_view(encoder.load(self.paths[row], self.resize), self.crop, draw).numpy()

    def test(self, row: int) -> np.ndarray:
        """The centre crop."""
        return encoder.centre_view(encoder.load(self.paths[row], self.resize), self.crop).numpy()


def source(split: str, images: dict[str, Any]) -> CachedViews | Photos:
    """`{"folder": …}` means cached features, `{"check": …, "resize_size": …, "crop_size": …}` photos."""
    return (CachedViews if "folder" in images else Photos)(split=split, **images)


@DATASETS.register_module()
class CaptionTrain:
    """Training samples by (index, epoch): {"inputs": one view of the image, or its place (CachedViews), "tokens":
    <start>, words, <end>}.

    The view is drawn from (seed, epoch, place of the caption); of all images, or of a part of them (`part_of`).
    """

    def __init__(self, captions: str, images: dict[str, Any], seed: int, held_out: bool | None = None) -> None:
        with np.load(captions) as arrays:
            self.words, self.ends, self.rows = (arrays[name] for name in ("words", "ends", "rows"))
        self.places = captions_of(self.rows, held_out)
        self.source = source("train", images)
        self.seed = seed

    def __len__(self) -> int:
        return len(self.places)

    def __getitem__(self, key: tuple[int, int]) -> dict[str, np.ndarray | np.int64]:
        index, epoch = key
        place = int(self.places[index])
        start = self.ends[place - 1] if place else 0
        view = self.source.random(self.rows[place], rng(self.seed, "view", epoch, place))
        return {"inputs": view, "tokens": self.words[start : self.ends[place]]}

    def name(self, index: int) -> str:
        """The image of a sample."""
        return self.source.name(self.rows[self.places[index]])


@DATASETS.register_module()
class CaptionTest:
    """Test images: {"inputs": the one view, "image_ids": int}. `held_out`: the held-out training images in their place,
    each by its first view where views are cached."""

    def __init__(self, check: str, images: dict[str, Any], held_out: bool = False) -> None:
        split = "train" if held_out else "test"
        ids = [image.image_id for image in coco.read(DatasetInfo.read(check), split)]
        self.rows = sorted(part_of(range(len(ids)), held_out or None))
        self.image_ids = [ids[row] for row in self.rows]
        self.source = source(split, images)

    def __len__(self) -> int:
        return len(self.image_ids)

    def __getitem__(self, index: int) -> dict[str, Any]:
        return {"inputs": self.source.test(self.rows[index]), "image_ids": self.image_ids[index]}


def places_of_words(tokens: torch.Tensor) -> torch.Tensor:
    """Where the words to predict are, <end> among them: tokens (N, L) with <start> and padding to places in the
    flattened (N, L - 1). A device would have to count them, and the host to wait for it."""
    return (tokens[:, 1:] != PAD).flatten().nonzero().squeeze(1)


@FUNCTIONS.register_module()
def caption_batch(samples: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Stack samples; tokens are padded to the longest caption of the batch, and `words` says where they are not."""
    batch = {"inputs": torch.from_numpy(np.stack([sample["inputs"] for sample in samples]))}
    if "tokens" in samples[0]:
        each = [torch.from_numpy(sample["tokens"].astype(np.int64)) for sample in samples]
        tokens = pad_sequence(each, batch_first=True, padding_value=PAD)
        return {**batch, "tokens": tokens, "words": places_of_words(tokens)}
    return {**batch, "image_ids": torch.tensor([sample["image_ids"] for sample in samples])}
