"""Every set of labelled images opens them as its check has counted them, and tasks of classes take it."""

import numpy as np
import pytest

from backbones.images import TestImages
from tests.demo import demo
from workflow import registry
from workflow.config.loading import check as check_config
from workflow.config.loading import overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import labelled
from workflow.data.validation.decoding import pixels
from workflow.planning.dataset_size import faults, required_sizes

NAMES = ("imagenet", "imagenet_r", "cub", "cifar10", "cifar100", "fashion_mnist", "image_folder")
DEMO = demo()
SET = {"layout": "cifar10", "synthetic": {"classes": 4, "train": 20, "test": 8, "seed": 0}}


@pytest.fixture(params=NAMES)
def check(request):
    return DatasetInfo.read(request.getfixturevalue(request.param).check)


def test_all_of_them_are_here():
    found = {name for name, data in registry.datasets().items() if data.labelled}
    assert found == {*NAMES, "imagenet_a"}, "which is as imagenet_r"


def test_the_images_are_those_that_were_checked(check):
    declared = labelled.declared(check)
    for part in filter(None, (declared.train, declared.test)):
        source = labelled.open_part(check, part)
        assert len(source) == len(source.targets) == check.counts[part]
        assert set(source.targets.tolist()) == set(range(len(check.classes)))
        assert len({source.name(index) for index in range(len(source))}) == len(source)
        with source.open(0) as image:
            found = pixels(image)
        assert found.dtype == np.uint8
        assert found.shape == (*image.size[::-1], 3)
    assert labelled.count_in_words(check).startswith(f"{check.counts[declared.test]} ")
    trained = [declared.train] if declared.train else []
    assert "training images" in registry.datasets()[check.set].samples or not trained


def test_a_test_image_is_always_the_same(check):
    images = TestImages(labelled.open_test(check), {"val_resize_size": 32, "crop_size": 28})
    first, again = images[1], images[1]
    assert first["images"].shape == (3, 28, 28)
    assert first["images"].equal(again["images"])
    assert first["labels"] == labelled.open_test(check).targets[1]


def test_grey_is_three_equal_channels(fashion_mnist):
    source = labelled.open_test(DatasetInfo.read(fashion_mnist.check))
    with source.open(3) as image:
        found = pixels(image)
    assert np.array_equal(found, np.repeat(source.pixels[3][..., None], 3, axis=2))
    assert len(np.unique(found)) > 10


def with_data(**section):
    return overlay(DEMO, {"data": {"mine": section}, "pretrain": {"data": "mine"}})


def test_parts_have_the_names_of_the_set():
    config = with_data(**SET)
    assert registry.parts_of(config, "pretrain") == (("train",), "test")
    assert registry.parts_of(DEMO, "pretrain") == (("train",), "val")
    assert registry.parts_of(DEMO, "ssd_voc") == (("trainval07", "trainval12"), "test07")


def test_a_set_without_training_images_is_refused_where_they_are_needed():
    test_only = {"layout": "imagenet_r", "synthetic": {"classes": 4, "test": 8, "size": 32, "seed": 0}}
    with pytest.raises(
        UserError, match=r"pretrain\.data: mine \(layout imagenet_r\) has no training images; layouts th"
    ):
        check_config(with_data(**test_only), "x.yaml")
    check_config(with_data(**SET), "x.yaml")


def test_a_batch_is_not_larger_than_the_training_set(cifar10):
    config = with_data(**SET)
    needed = required_sizes(config, "mine")
    (fault,) = faults(registry.datasets()["cifar10"], DatasetInfo.read(cifar10.check), needed)
    assert fault == f"pretrain.batch_size: 32 is more than the 20 training images in {cifar10.root}"
