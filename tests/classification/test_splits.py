"""Which training images are held out, and which fraction is trained on."""

import numpy as np
import pytest

from classification.splits import split

TARGETS = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [100, 40, 10]))


def counts(places):
    return np.bincount(TARGETS[places], minlength=3).tolist()


def test_a_tenth_of_each_class_is_held_out_whatever_the_seed():
    drawn = split(TARGETS)
    assert counts(drawn.val) == [10, 4, 1]
    assert sorted([*drawn.fit, *drawn.val]) == list(range(150))
    for seed in range(3):
        assert np.array_equal(split(TARGETS, 0.5, seed).val, drawn.val)


@pytest.mark.parametrize(("fraction", "expected"), [(0.5, [45, 18, 4]), (0.1, [9, 4, 1]), (0.001, [1, 1, 1])])
def test_a_fraction_of_each_class_is_trained_on_and_follows_from_the_seed(fraction, expected):
    one, same, other = (split(TARGETS, fraction, seed) for seed in (0, 0, 1))
    assert counts(one.fit) == expected
    assert np.array_equal(one.fit, same.fit)
    assert not np.array_equal(one.fit, other.fit)
    assert not set(one.fit) & set(one.val)
    assert set(split(TARGETS, fraction / 2, 0).fit) <= set(one.fit), "a smaller fraction is a part of a larger one"


def test_a_class_of_one_image_is_trained_on():
    drawn = split(np.array([0, 1, 1, 1]))
    assert 0 in drawn.fit
    assert len(drawn.val) == 1


def test_nothing_is_held_out_if_nothing_should_be():
    drawn = split(TARGETS, held_out=0.0)
    assert len(drawn.val) == 0
    assert len(drawn.fit) == 150
