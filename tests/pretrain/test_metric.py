"""Top-1 and top-5 errors against a plain sort of the classes, equal scores and what is no number among them."""

import math

import numpy as np
import pytest
import torch

from pretrain.metric import TopError, errors, per_image_errors, ranks, write_per_image
from workflow.core.dataset_info import DatasetInfo
from workflow.data.class_folders import ClassFolders


def place(scores: list[float], label: int) -> int:
    """Of the true class, when the classes are sorted by score and equal ones stay in their order."""
    if not all(map(math.isfinite, scores)):
        return len(scores)
    return sorted(range(len(scores)), key=lambda one: -scores[one]).index(label)


def test_the_rank_is_the_place_in_the_sorted_classes():
    torch.manual_seed(0)
    scores, labels = torch.randint(0, 4, (300, 7)).float(), torch.randint(0, 7, (300,))  # many are equal
    scores[0, 3], scores[1, 2], scores[2, 5] = torch.nan, torch.inf, -torch.inf
    expected = [place(row, label) for row, label in zip(scores.tolist(), labels.tolist(), strict=True)]
    assert len(set(expected)) == 8
    assert ranks(scores, labels).tolist() == expected


def test_a_network_that_says_the_same_of_all_classes_is_right_on_one():
    assert ranks(torch.zeros(7, 7), torch.arange(7)).tolist() == list(range(7))


def test_what_is_left_names_each_image_relative_to_the_root_with_its_errors(imagenet, tmp_path):
    check, places = DatasetInfo.read(imagenet.check), [0, 1, 4, 5, 3, 0, 0, 0, 2, 0, 0, 9]
    write_per_image(tmp_path / "e.npz", check, places)
    with np.load(tmp_path / "e.npz") as found:
        assert found["images"].tolist() == [path.decode() for path in ClassFolders(f"{check.root}/val").paths]
        assert all((imagenet.root / "val" / name).is_file() for name in found["images"])
        assert found["top1_error"].tolist() == [100.0 * (place > 0) for place in places]
        assert found["top5_error"].tolist() == [100.0 * (place > 4) for place in places]
    with pytest.raises(ValueError, match="shorter"):
        write_per_image(tmp_path / "e.npz", check, places[:-1])


def test_the_metric_of_a_training_is_the_mean_over_all_batches_and_leaves_them(imagenet, tmp_path):
    metric, labels = TopError(DatasetInfo.read(imagenet.check), str(tmp_path)), torch.tensor([0, 1, 2])
    for wrong in range(4):
        logits = torch.eye(8)[labels].clone()
        logits[:wrong, 7] = 2
        metric.process(None, [{"logits": logits, "labels": labels}])
    assert metric.evaluate(12) == {"top1_error": 50.0, "top5_error": 0.0}
    with np.load(tmp_path / "per_image.npz") as found:
        assert found["top1_error"].reshape(4, 3).tolist() == [[100.0 * (n < m) for n in range(3)] for m in range(4)]


def test_an_error_is_the_mean_over_the_images():
    found = [0, 4, 5, 1, 0, 7, 999]
    assert per_image_errors(found)["top1_error"].tolist() == [0, 100, 100, 100, 0, 100, 100]
    assert per_image_errors(found)["top5_error"].tolist() == [0, 0, 100, 0, 0, 100, 100]
    assert errors(found) == {"top1_error": 500 / 7, "top5_error": 300 / 7}
    assert errors([0] * 38_160 + [1] * 11_840) == {"top1_error": 23.68, "top5_error": 0.0}  # at ImageNet's size
