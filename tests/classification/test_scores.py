"""The metrics against their definitions, on the test images and in resamples."""

import numpy as np
import pytest

from classification.scores import evidence, mean_per_class_error, metrics, part_errors

LABEL = np.array([0, 0, 0, 0, 1, 1, 2])
PREDICTED = np.array([0, 0, 0, 1, 1, 0, -1])


def by_definition(label, wrong):
    return 100 * np.mean([wrong[label == one].mean() for one in np.unique(label)])


def test_top1_counts_images_and_the_other_classes():
    found = metrics(evidence(PREDICTED, LABEL))
    assert found == pytest.approx({"top1_error": 300 / 7, "mean_per_class_error": (25 + 50 + 100) / 3})


@pytest.mark.parametrize("seed", range(4))
def test_a_resample_is_scored_as_if_it_were_the_set(seed):
    """A class that is not drawn has no part in it."""
    arrays, drawn = evidence(PREDICTED, LABEL), np.random.default_rng(seed).integers(0, 7, (3, 7))
    weights = np.stack([np.bincount(row, minlength=7) for row in drawn], axis=1)
    expected = [by_definition(LABEL[row], arrays["wrong"][row]) for row in drawn]
    assert mean_per_class_error(arrays)(weights)["mean_per_class_error"] == pytest.approx(expected)


def test_parts_of_the_training_set_are_drawn_again_next_to_the_test():
    draw = np.random.default_rng(0)
    arrays = {"val_wrong": draw.random(400) < 0.3, "train_wrong": np.zeros(50, dtype=bool)}
    score, weights = part_errors(arrays), draw.integers(0, 3, (7, 200))
    assert score(np.ones((7, 1)))["val_error"] == pytest.approx([100 * arrays["val_wrong"].mean()])
    found, again = score(weights), part_errors(arrays)(weights.copy())
    assert np.array_equal(found["val_error"], again["val_error"]), "the same for every run"
    assert found["val_error"].std() == pytest.approx(100 * np.sqrt(0.3 * 0.7 / 400), rel=0.2), "chance of 400 images"
    assert not found["train_error"].any()
