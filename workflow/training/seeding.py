"""Randomness that is counted, not carried: what a sample or a batch draws follows from (seed, epoch, index) or
(seed, iteration) alone, so a run that was killed and resumed draws what an undisturbed one does."""

import hashlib
import random
from collections.abc import Iterator, Sized
from typing import Any

import numpy as np
import torch
from mmengine.dist import get_dist_info, get_rank
from mmengine.hooks import Hook
from mmengine.registry import DATA_SAMPLERS, DATASETS, HOOKS
from mmengine.runner import Runner

from workflow.core.errors import UserError
from workflow.core.rng import rng


def seed_everything(*keys: int | str) -> None:
    """Seed the global generators of python, numpy and torch from `keys` (for code that draws from those)."""
    value = int.from_bytes(hashlib.sha256(repr(keys).encode()).digest()[:8], "little")
    random.seed(value)
    np.random.seed(value % 2**32)
    torch.default_generator.manual_seed(value % 2**63)
    if torch.cuda.is_initialized():  # torch.manual_seed keeps a stack trace of each call until then: 0.15 ms a sample
        torch.cuda.manual_seed_all(value % 2**63)


@DATA_SAMPLERS.register_module()
class ResumableSampler:
    """An endless stream of (index, epoch): epoch e visits the data in the order drawn from (seed, e).

    `batch` is the global batch; what does not fill a batch at the end of an epoch is dropped, so that iteration i
    always belongs to epoch i // (len(dataset) // batch). Each process takes its slice of every global batch.
    mmengine's loop calls `skip` on resume, which costs nothing.
    """

    def __init__(self, dataset: Sized, batch: int, seed: int = 0) -> None:
        self.rank, self.world = get_dist_info()
        self.size, self.batch, self.seed, self.start = len(dataset), batch, seed, 0
        if batch % self.world:
            raise UserError(f"{self.world} processes cannot share a batch of {batch}")
        if self.size < batch:
            raise UserError(f"the training set has {self.size} samples, fewer than one batch of {batch}")

    def skip(self, num_samples: int) -> None:
        """Begin at the absolute position `num_samples` (as counted by this process)."""
        self.start = num_samples

    def __iter__(self) -> Iterator[tuple[int, int]]:
        mine = self.batch // self.world
        per_epoch = self.size // self.batch * mine
        epoch, offset = divmod(self.start, per_epoch)
        while True:
            for index in self.order(epoch)[:, self.rank :: self.world].reshape(-1)[offset:].tolist():
                yield index, epoch
            epoch, offset = epoch + 1, 0

    def order(self, epoch: int) -> np.ndarray:
        """The indices that are visited in an epoch, (batches, samples of a batch)."""
        order = rng(self.seed, "order", epoch).permutation(self.size)[: self.size // self.batch * self.batch]
        return order.reshape(-1, self.batch)

    def batch_of(self, iteration: int) -> list[int]:
        """The indices of one iteration, in all processes."""
        epoch, place = divmod(iteration, self.size // self.batch)
        return self.order(epoch)[place].tolist()

    def __len__(self) -> int:
        return self.size


@DATASETS.register_module()
class SeededDataset:
    """A data set indexed by (index, epoch), whose transforms draw what follows from (seed, epoch, index)."""

    def __init__(self, dataset: dict | Any, seed: int) -> None:
        self.dataset = DATASETS.build(dataset) if isinstance(dataset, dict) else dataset
        self.seed = seed

    @property
    def metainfo(self) -> dict:
        """The wrapped set's, for mmengine."""
        return getattr(self.dataset, "metainfo", {})

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, key: tuple[int, int]) -> Any:
        index, epoch = key
        seed_everything(self.seed, "sample", epoch, index)
        return self.dataset[index]

    def name(self, index: int) -> str:
        """The file of a sample (mmdet's data sets)."""
        return self.dataset.get_data_info(index)["img_path"]


@HOOKS.register_module()
class SeedHook(Hook):
    """Before every iteration, seed whatever the network draws (dropout, RoI sampling) from (seed, iteration),
    in further processes also from their number: each has its own samples.

    The number itself goes to mmengine's message hub as `iter`, for modules with draws of their own, and the share of
    the run that is done as `progress`.
    """

    priority = "VERY_HIGH"

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.further = [get_rank()] if get_rank() else []

    def before_train_iter(self, runner: Runner, batch_idx: int, data_batch: dict | None = None) -> None:
        """mmengine's hook point."""
        seed_everything(self.seed, "iteration", runner.iter, *self.further)
        runner.message_hub.update_info("iter", runner.iter)
        runner.message_hub.update_info("progress", runner.iter / runner.max_iters)
