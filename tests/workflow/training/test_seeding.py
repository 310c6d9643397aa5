"""Law 3: randomness is counted, not carried."""

import itertools
import random

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook

from tests.workflow.training.test_engine import die_after, run_of, task
from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.training import seeding
from workflow.training.engine import fit
from workflow.training.resume import checkpointing
from workflow.training.seeding import ResumableSampler, SeededDataset


def taken(sampler, count):
    return list(itertools.islice(iter(sampler), count))


def test_equal_keys_draw_equally_and_other_keys_do_not():
    assert np.array_equal(rng(1, "a", 2).random(4), rng(1, "a", 2).random(4))
    draws = {tuple(rng(*keys).random(2)) for keys in [(1, "a"), (1, "b"), (2, "a"), ("1", "a"), (1, "a", 0)]}
    assert len(draws) == 5


def test_an_epoch_visits_every_sample_at_most_once_and_drops_what_fills_no_batch():
    stream = taken(ResumableSampler(range(11), batch=4, seed=3), 24)
    for epoch in range(3):
        visited = [index for index, e in stream if e == epoch]
        assert len(visited) == len(set(visited)) == 8
    assert [e for _, e in stream] == [0] * 8 + [1] * 8 + [2] * 8
    assert stream[:8] != [(i, 0) for i, _ in stream[8:16]]


@pytest.mark.parametrize("position", [0, 4, 8, 12, 20, 36])
def test_skipping_goes_on_where_an_undisturbed_stream_would_be(position):
    whole = taken(ResumableSampler(range(11), batch=4, seed=3), 60)
    sampler = ResumableSampler(range(11), batch=4, seed=3)
    sampler.skip(position)
    assert taken(sampler, 20) == whole[position : position + 20]


def test_processes_share_every_global_batch(monkeypatch):
    whole = taken(ResumableSampler(range(12), batch=4, seed=3), 24)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(seeding, "get_dist_info", lambda rank=rank: (rank, 2))
        parts.append(taken(ResumableSampler(range(12), batch=4, seed=3), 12))
    for i in range(0, 6):
        batch = set(whole[4 * i : 4 * i + 4])
        assert batch == set(parts[0][2 * i : 2 * i + 2]) | set(parts[1][2 * i : 2 * i + 2])


@pytest.mark.parametrize("world", [1, 2, 4])
def test_what_is_said_of_an_iteration_is_what_its_processes_visit(world, monkeypatch):
    """Iteration by iteration, over the ends of epochs: the message of a loss that is not finite names these."""
    parts = []
    for rank in range(world):
        monkeypatch.setattr(seeding, "get_dist_info", lambda rank=rank: (rank, world))
        sampler = ResumableSampler(range(19), batch=4, seed=3)
        parts.append([index for index, _ in taken(sampler, 12 * 4 // world)])
    share = 4 // world
    for i in range(12):
        visited = [index for part in parts for index in part[i * share : (i + 1) * share]]
        assert sorted(visited) == sorted(sampler.batch_of(i))


def test_fewer_samples_than_a_batch_is_said(monkeypatch):
    assert sorted(taken(ResumableSampler(range(4), batch=4), 4)) == [(n, 0) for n in range(4)]
    with pytest.raises(UserError, match="3 samples, fewer than one batch of 4"):
        ResumableSampler(range(3), batch=4)
    monkeypatch.setattr(seeding, "get_dist_info", lambda: (0, 3))
    with pytest.raises(UserError, match="3 processes cannot share a batch of 4"):
        ResumableSampler(range(12), batch=4)


class Noise:
    def __len__(self):
        return 5

    def __getitem__(self, index):
        return index, np.random.rand(), torch.rand(1).item(), random.random()


def test_a_sample_draws_what_follows_from_seed_epoch_and_index():
    noise = SeededDataset(Noise(), seed=1)
    first = noise[(2, 0)]
    np.random.rand(7)
    assert noise[(2, 0)] == first
    for draw in (1, 2, 3):
        assert len({noise[key][draw] for key in [(2, 0), (2, 1), (3, 0)]}) == 3
    assert SeededDataset(Noise(), seed=2)[(2, 0)] != first


class Told(Hook):
    """What the network is told in each iteration: its number, and the share of the training that is done."""

    def __init__(self):
        self.all = []

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.all.append(tuple(runner.message_hub.get_info(key) for key in ("iter", "progress")))


@pytest.mark.parametrize("killed", [None, 1, 7])
def test_the_network_is_told_the_share_of_the_training_that_is_done(killed, tmp_path, monkeypatch):
    """0 in the first iteration, whatever was killed and resumed."""
    monkeypatch.setattr(checkpointing, "SECONDS_BETWEEN_SAVES", 0)
    run, told = run_of(iterations=12), Told()
    if killed:
        die_after(killed, run, tmp_path)
    fit(run, task(run), 20, tmp_path, more=[told])
    assert told.all == [(i, i / 12) for i in range(killed or 0, 12)]
