"""Top-1 and top-5 errors against a plain sort of the classes, equal scores and what is no number among them."""

import math

import pytest
import torch

from pretrain.metric import errors, ranks


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


def test_errors_are_the_share_beyond_the_first_and_the_fifth_place():
    found = errors([0, 0, 0, 1, 4, 5, 6, 7])
    assert found == {"top1_error": pytest.approx(62.5), "top5_error": pytest.approx(37.5)}
