"""What the cost of a config is measured on: as many images as its data have, drawn in their layout and size."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
from PIL import Image

from tests.checks import info
from tests.demo import CONFIGS, demo
from workflow.config.loading import load, overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data.sets import DRAWN_CLASSES
from workflow.data.synthetic import shapes
from workflow.planning.cost import counts, images, numbers_of
from workflow.planning.cost_images import made_of, synthetic_check
from workflow.registry import datasets

PAPER = load(CONFIGS / "paper.yaml")
DEMO = demo()


def test_drawn_files_are_as_large_as_those_of_photos_where_photos_are_meant(tmp_path):
    for name, config in (("real", PAPER), ("drawn", DEMO)):
        synthetic_check(config, "voc", 1, tmp_path / name)
        files = sorted((tmp_path / name).rglob("*.jpg"))
        sizes = [Image.open(file).size for file in files]
        density = sum(file.stat().st_size for file in files) / sum(width * height for width, height in sizes)
        assert files
        assert (0.5 <= density < 0.75) == (name == "real"), density


def test_counts_are_those_of_the_check_or_of_what_will_be_drawn(tmp_path):
    photos, captioned = (DEMO["data"][name]["synthetic"] for name in ("imagenet", "coco"))
    assert counts(DEMO, "imagenet", Path("nothing")) == {part: photos[part] for part in ("train", "val")}
    train = captioned["train"]
    drawn = {"train_images": train, "train_captions": 5 * train, "test_images": captioned["val"]}
    assert counts(DEMO, "coco", Path("nothing")) == drawn
    info(counts={"train": 7}).write(tmp_path / "check.json")
    assert counts(PAPER, "imagenet", tmp_path / "check.json") == {"train": 7}
    karpathy = overlay(PAPER, {"data": {"coco": {"split": "karpathy"}}})
    assert counts(karpathy, "coco", Path("nothing"))["test_images"] == 5000


def test_a_set_of_another_name_is_counted_and_drawn_as_its_layout(tmp_path):
    mine = {"layout": "voc", "root": "data/mine", "classes": ["dog", "cat", "hen"], "source": "archives"}
    config = overlay(DEMO, {"data": {"mine": mine}})
    assert counts(config, "mine", Path("nothing")) == counts(PAPER, "voc", Path("nothing"))
    check = DatasetInfo.read(synthetic_check(config, "mine", 2, tmp_path))
    assert (check.set, check.root) == ("voc", str(tmp_path / "mine"))
    assert len(check.classes) == 12, "as many as are drawn, where the real set has fewer"


@pytest.mark.parametrize("name", ["imagenet", "cub", "cifar100"])
def test_a_small_batch_leaves_no_class_without_an_image(name, tmp_path):
    config = overlay(PAPER, {"data": {"cub": {"root": "data/cub"}, "cifar100": {"root": "data/cifar100"}}})
    check = DatasetInfo.read(synthetic_check(config, name, 1, tmp_path))
    assert check.counts["train"] == DRAWN_CLASSES == len(shapes.SHAPES)


@pytest.mark.parametrize("name", ["cifar10", "fashion_mnist"])
def test_a_set_of_small_images_is_drawn_at_its_own_size(name, tmp_path):
    config = overlay(DEMO, {"data": {name: {"root": "data/mine"}}, "pretrain": {"data": name}})
    check = DatasetInfo.read(synthetic_check(config, name, 2, tmp_path))
    assert len(check.classes) == 10
    numbers = counts(config, name, Path("nothing"))
    todo = SimpleNamespace(config=config)
    assert images(todo, "pretrain", {name: numbers}) == (numbers["train"], 10_000)
    assert numbers_of(todo, "pretrain", {name: numbers}) == numbers


def test_a_set_of_unknown_size_is_to_be_checked_first(monkeypatch):
    unpublished = dataclasses.replace(datasets()["voc"], counts={})
    monkeypatch.setattr("workflow.planning.cost.layout_of", lambda config, name: unpublished)
    with pytest.raises(UserError, match=r"data\.voc: not checked yet, and no set is published in its layout"):
        counts(PAPER, "voc", Path("nothing"))


def test_shapes_take_the_place_of_missing_photos(tmp_path, capsys):
    own = {"photos": str(tmp_path), "size": 48, "seed": 0}
    assert made_of("voc", own, 20) == {"photos": str(tmp_path)}
    config = overlay(DEMO, {"data": {"voc": {"synthetic": own | {"photos": "nowhere", "classes": None}}}})
    del config["data"]["voc"]["synthetic"]["classes"]
    assert len(DatasetInfo.read(synthetic_check(config, "voc", 2, tmp_path)).classes) == 12
    assert "data.voc.synthetic.photos: no folder nowhere: shapes in their place\n" in capsys.readouterr().out
