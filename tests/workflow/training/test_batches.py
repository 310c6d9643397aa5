"""In batches of one size, an image has the same bits at any place and next to any other; in other sizes, it may not."""

import pytest
import torch
from torch.utils.data import TensorDataset

from backbones.construct import build
from tests.pretended_cuda.runtime import pretended_cuda
from workflow import registry
from workflow.training.batches import fill_batch, load_batches
from workflow.training.cpu_convs import channels_last
from workflow.training.hooks import autocast


def test_it_is_filled_with_the_last_row():
    assert torch.equal(fill_batch(torch.tensor([[1], [2]]), 4), torch.tensor([[1], [2], [2], [2]]))
    full = torch.rand(3, 2)
    with autocast("bf16"):
        assert fill_batch(full.half(), 5).dtype == torch.float16
    assert fill_batch(full, 3) is full


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_neighbours_and_place_do_not_change_an_image_s_bits(precision):
    torch.manual_seed(0)
    network = channels_last(build(registry.networks()["resnet18"], 10).eval())
    images = torch.randn(8, 3, 64, 64)
    with torch.no_grad(), autocast(precision):
        expected = network(images)
        assert torch.equal(network(images.roll(3, 0)).roll(-3, 0), expected)
        for number in (1, 5):
            assert torch.equal(network(fill_batch(images[:number], 8))[:number], expected[:number])


def test_nor_those_of_a_hypothesis():
    torch.manual_seed(0)
    lstm, output = torch.nn.LSTM(24, 32, batch_first=True), torch.nn.Linear(32, 500)
    words = torch.randn(100, 1, 24)
    with torch.no_grad():
        expected = output(lstm(words)[0])
        assert torch.equal(output(lstm(words.roll(7, 0))[0]).roll(-7, 0), expected)
        assert torch.equal(output(lstm(fill_batch(words[:3], 100))[0])[:3], expected[:3])


def test_where_there_is_a_device_batches_are_pinned():
    images = TensorDataset(torch.arange(4))
    assert not next(iter(load_batches(images, 0, batch_size=2)))[0].is_pinned()
    with pretended_cuda():
        assert [batch[0].is_pinned() for batch in load_batches(images, 0, batch_size=2)] == [True, True]
