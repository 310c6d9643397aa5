"""What pretraining declares."""

import pytest

from pretrain.task import TASKS


@pytest.mark.parametrize(("size", "two"), [(16, True), (32, True), (33, False), (224, False)])
def test_a_batch_of_small_images_has_two_samples_at_least(size, two):
    """Up to 32 px the last feature map is one cell, and batch norm sees one value a channel."""
    assert TASKS[0].two_samples({"size": size}) is two
