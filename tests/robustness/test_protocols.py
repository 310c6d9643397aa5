"""The laws of the protocols, on a network that is right on every clean image."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from backbones.backbone import Preprocessing
from robustness.blocks import Block, predictions, shuffled_blocks
from robustness.protocols import Protocols, fill_color
from robustness.scores import clean_test
from tests.robustness.recipes import RECIPE


def block(published, places=None):
    places = np.arange(len(published.images)) if places is None else np.asarray(places)
    return Block(published.images[places], published.labels[places], places)


def predicted(published, places=None, **changes):
    return Protocols(published.load(), RECIPE | changes, [0, 1, 2, 3])(block(published, places))


@pytest.fixture(scope="module")
def arrays(published):
    return predicted(published)


def test_the_ends_of_the_curves_are_the_clean_images(arrays):
    assert np.array_equal(arrays["clean"], arrays["label"]), "the network is right on all"
    for curve, place in (("center", 0), ("boundary", -1), ("mixup", -1), ("cutmix", 0)):
        assert np.array_equal(arrays[curve][:, place], arrays["clean"])
    for curve, place in (("mixup", 0), ("cutmix", -1)):
        assert np.array_equal(arrays[curve][:, place], arrays["partner"]), "all of the other image"
    assert np.array_equal(arrays["partner"], np.roll(arrays["label"], -1))


def test_what_is_all_hidden_is_one_class(arrays):
    center, boundary = arrays["center"][:, -1], arrays["boundary"][:, 0]
    assert np.array_equal(center, boundary)
    assert len(set(center.tolist())) == 1
    _, flags = clean_test(arrays)
    share = 100 * np.mean(arrays["label"] == center[0])
    assert 100 - 100 * flags["center"][:, -1].mean() == share, "accuracy is that class's share of the images"


def test_metrics_are_counted_from_the_flags(arrays):
    metrics, flags = clean_test(arrays)
    assert metrics["accuracy"].mean() == 100
    assert flags["fgsm"].shape == (12, 4)
    assert np.array_equal(metrics["fgsm_accuracy"], 100.0 * (arrays["fgsm"][:, 2] == arrays["label"]))
    assert np.array_equal(metrics["pgd_accuracy"], 100.0 * (arrays["pgd"] == arrays["label"]))
    assert metrics["center_occlusion_error"] == pytest.approx(
        100 * (arrays["label"] != arrays["center"].T).mean(axis=0)
    )
    neither = (arrays["label"] != arrays["mixup"].T) & (arrays["partner"] != arrays["mixup"].T)
    assert metrics["mixup_error"] == pytest.approx(100 * neither.mean(axis=0))
    assert not flags["mixup"][:, [0, -1]].any(), "at both ends one of the two is seen, and either is right"


def test_either_class_of_a_pair_is_right():
    curve = np.array([[0], [1], [2]], dtype=np.int16)
    given = dict.fromkeys(("fgsm", "center", "boundary", "mixup", "cutmix"), curve)
    given |= {"label": np.zeros(3, np.int16), "partner": np.ones(3, np.int16), "clean": curve[:, 0]}
    given |= {"pgd": curve[:, 0], "zero_gradient": np.zeros(3)}
    assert clean_test(given)[0]["cutmix_error"].tolist() == [0, 0, 100]


def test_a_bound_of_nothing_is_the_clean_accuracy(published):
    arrays = predicted(published, fgsm_eps=[1e-30], pgd_eps=1e-30, pgd_step_size=1e-30)
    assert np.array_equal(arrays["fgsm"][:, 0], arrays["clean"])
    assert np.array_equal(arrays["pgd"], arrays["clean"])


def test_attacks_hurt(arrays):
    metrics, _ = clean_test(arrays)
    assert metrics["fgsm_accuracy"].mean() < 100
    assert metrics["pgd_accuracy"].mean() <= metrics["fgsm_accuracy"].mean()


@pytest.mark.parametrize("batch_size", [1, 12])
def test_no_draw_depends_on_the_batch(published, arrays, batch_size, monkeypatch):
    """The starts of PGD are those of the images, however they are passed."""
    seen = {}
    from robustness import protocols

    real = protocols.random_start

    def noting(places, shape, eps):
        start = real(places, shape, eps)
        seen.update(zip(np.asarray(places).tolist(), start, strict=True))
        return start

    monkeypatch.setattr(protocols, "random_start", noting)
    recipe = RECIPE | {"batch_size": batch_size, "pgd_steps": 1, "fgsm_eps": [8]}
    Protocols(published.load(), recipe, [0, 1, 2, 3]).attacks(block(published), published.labels)
    assert all(torch.equal(seen[place], real([place], (3, 48, 48), 8)[0]) for place in range(12))


def test_zero_is_what_the_network_sees_as_zero_or_black(published):
    classifier = published.load()
    mean = (1.0, 2.0, 3.0)
    for order, expected in (("RGB", mean), ("BGR", mean[::-1])):
        own = replace(classifier, prepare=Preprocessing(order, mean, (1.0, 1.0, 1.0)))
        color = fill_color(own, "mean")
        assert color.flatten().tolist() == list(expected)
        assert own.prepare(color[None]).abs().max() == 0
    assert fill_color(classifier, "black").abs().max() == 0


def test_attacks_follow_the_preprocessing_of_the_network(published):
    """The same network for BGR: its first filters are turned round, and its mean and std."""
    classifier = published.load()
    turned = published.load()
    turned.module.conv1.weight.data = turned.module.conv1.weight.data.flip(1)
    prepare = classifier.prepare
    turned = replace(turned, prepare=Preprocessing("BGR", prepare.mean[::-1], prepare.std[::-1]))
    protocols = [Protocols(each, RECIPE, [0, 1, 2, 3]) for each in (classifier, turned)]
    one, other = (each.attacks(block(published), published.labels)["fgsm"] for each in protocols)
    assert np.mean(one == other) > 0.9
    one, other = (each.occlusion(block(published), published.labels.numpy())["center"] for each in protocols)
    assert np.array_equal(one, other)


def test_blocks_hold_every_image_once_and_pair_it_with_another():
    for images in (2, 12, 257, 1000):
        blocks = shuffled_blocks(images)
        assert sorted(np.concatenate(blocks).tolist()) == list(range(images))
        sizes = {len(each) for each in blocks}
        assert 2 <= min(sizes) <= max(sizes) <= 256
        assert all(np.array_equal(one, other) for one, other in zip(blocks, shuffled_blocks(images), strict=True))


def test_only_finite_logits_predict_and_only_the_asked_outputs(published):
    classifier = published.load()
    free = predictions(classifier, published.images, 5)
    assert np.array_equal(free, published.labels)
    among = predictions(classifier, published.images, 5, [3, 1])
    known = np.isin(free, [3, 1])
    assert np.array_equal(np.array([3, 1])[among][known], free[known])
    classifier.module.fc.bias.data[2] = float("nan")
    assert (predictions(classifier, published.images, 5) == -1).all()
