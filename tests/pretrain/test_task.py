"""What pretraining declares."""

import pytest

from pretrain.task import TASKS


@pytest.mark.parametrize(("size", "two"), [(16, True), (32, True), (33, False), (224, False)])
def test_a_batch_of_small_images_has_two_samples_at_least(size, two):
    """Of a ResNet: up to 32 px the last feature map is one cell, and batch norm sees one value a channel."""
    assert TASKS[0].two_samples({"network": "resnet50", "crop_size": size}) is two


def test_without_batch_norm_one_sample_is_enough():
    assert not TASKS[0].two_samples({"network": "timm/test_convnext", "crop_size": 32})
    assert TASKS[0].two_samples({"network": "timm/test_resnet", "crop_size": 32})


def test_errors_fall_and_have_the_paper_s_two_digits():
    metrics = {metric.name: (metric.better, metric.digits, metric.maximum) for metric in TASKS[0].metrics}
    assert metrics == dict.fromkeys(("top1_error", "top5_error"), ("lower", 2, 100.0))
    assert TASKS[0].headline.name == "top1_error"
