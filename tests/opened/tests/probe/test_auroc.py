"""The AUROC against its definition: how many pairs are in the right order?"""

import numpy as np
import pytest

from probe.auroc import auroc


def by_pairs(score, label):
    areas = []
    for c in range(score.shape[1]):
        positive, negative = score[label == c, c], score[label != c, c]
        pairs = [(p > n) + (p == n) / 2 for p in positive for n in negative]
        areas += [np.mean(pairs)] if pairs else []
    return 100 * np.mean(areas)


@pytest.mark.parametrize("seed", range(5))
def test_it_is_the_share_of_pairs_in_the_right_order(seed):
    draw = np.random.default_rng(seed)
    score, label = draw.integers(0, 5, (20, 3)) / 4, draw.integers(0, 3, 20)
    drawn = draw.integers(0, 20, (20, 7))  # a resample a column: places of images
    weights = np.stack([np.bincount(column, minlength=20) for column in drawn.T], axis=1)
    expected = [by_pairs(score[column], label[column]) for column in drawn.T]
    assert auroc(score, label, weights) == pytest.approx(expected)


def test_a_class_without_images_has_no_part_in_it():
    score = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0]])
    assert auroc(score, np.array([0, 1]), np.ones((2, 1))) == pytest.approx([100.0])
