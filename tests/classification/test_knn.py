"""Nearest neighbours against a search of all pairs, and the laws of their votes."""

import numpy as np
import pytest

from classification import knn
from classification.knn import nearest, vote


def features(seed, images, width=6):
    return np.random.default_rng(seed).normal(size=(images, width)).astype(np.float16)


def cosines(test, train):
    test, train = (each.astype(np.float64) / np.linalg.norm(each.astype(np.float64), axis=1, keepdims=True)
                   for each in (test, train))  # fmt: skip
    return test @ train.T


@pytest.mark.parametrize("blocks", [(1, 3), (4, 5), (100, 100)])
def test_they_are_those_of_a_search_of_all_pairs(blocks, monkeypatch):
    for name, size in zip(("BLOCK", "TRAIN_BLOCK"), blocks, strict=True):
        monkeypatch.setattr(knn, name, size)
    test, train = features(0, 9), features(1, 17)
    similarity, places = nearest(test, train, 4)
    expected = cosines(test, train)
    assert np.array_equal(places, np.argsort(-expected, axis=1)[:, :4])
    np.testing.assert_allclose(similarity, np.take_along_axis(expected, places, axis=1), atol=1e-5)


def test_an_image_is_its_own_nearest_neighbour():
    train, labels = features(2, 40), np.random.default_rng(3).integers(0, 5, 40)
    similarity, places = nearest(train, train, 1)
    assert (vote(similarity, labels[places], 5, 0.07) == labels).all()


def test_lengths_of_features_mean_nothing():
    test, train = features(4, 12), features(5, 30)
    scale = 2.0 ** np.arange(-3, 9)[:, None]
    assert np.array_equal(nearest(test, train, 5)[1], nearest(test * scale.astype(np.float16), train * 4, 5)[1])


def test_votes_are_weighted_by_similarity():
    similarity, labels = np.array([[0.9, 0.5, 0.5], [0.9, 0.89, 0.89]]), np.array([[1, 0, 0], [1, 0, 0]])
    assert vote(similarity, labels, 3, 0.07).tolist() == [1, 0], "one that is much nearer outvotes two"
    assert vote(similarity, labels, 3, 1e6).tolist() == [0, 0], "the majority"
    assert vote(similarity, labels, 3, 1e-9).tolist() == [1, 1], "the nearest, without an overflow"


def test_equal_votes_give_the_first_class():
    assert vote(np.array([[0.5, 0.5]]), np.array([[2, 1]]), 3, 0.1).tolist() == [1]
