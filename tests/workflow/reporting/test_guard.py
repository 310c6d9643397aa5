"""Two recipes, two data sets or two ways to measure never share a column (law 1)."""

from pathlib import Path

import pytest

from workflow.reporting.guard import differing
from workflow.reporting.summary import summarize
from workflow.training.errors import UserError


def test_differing_names_nested_keys_and_both_values():
    assert differing({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": 2}, "d": 0}) == {"a.b": (1, 3), "d": ("absent", 0)}


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), ([1, 2], [1.0, 2]), ({}, {}), (True, True), ("1", "1")])
def test_numbers_are_compared_as_numbers(one, other):
    assert differing({"a": one}, {"a": other}) == {}


@pytest.mark.parametrize(
    ("one", "other"), [(1, True), (0.0, False), (1, "1"), ([1], [True]), ([1], [1, 1]), ([{"b": 1}], [{"b": True}])]
)
def test_what_is_written_like_a_number_is_none(one, other):
    assert differing({"a": one}, {"a": other}) == {"a": (one, other)}


def test_one_recipe_written_in_two_ways_shares_a_column(experiment):
    small = experiment()
    run = small.run("ssd_voc", "cutmix")
    small.recipe(run, batch=16.0)
    assert summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"].delta is not None
    small.edit(run, provenance={"recipe": "of another recipe"})
    with pytest.raises(UserError, match=r"they differ in recipe hash: \w+ and of another"):
        summarize(small.plan)


def test_two_transfer_recipes_are_refused_by_key(experiment):
    small = experiment()
    small.recipe(small.run("ssd_voc", "cutmix"), lr=0.1)
    with pytest.raises(UserError) as error:
        summarize(small.plan)
    text = str(error.value)
    assert text.startswith("ssd_voc: the records of baseline p0s0 and cutmix p0s0 cannot stand in one column")
    assert "recipe.lr: 0.01 and 0.1" in text
    assert "batch" not in text
    assert str(small.run("ssd_voc", "cutmix").record) in text


def test_two_data_sets_are_refused(experiment):
    small = experiment()
    small.edit(small.run("nic_coco", "cutmix"), provenance={"data": "another"})
    with pytest.raises(UserError, match=r"nic_coco: .* they differ in data hash: \w+ and another"):
        summarize(small.plan)


def test_the_seeds_of_one_row_share_a_recipe_too(experiment):
    small = experiment(seeds=(1, 2))
    small.recipe(small.run("ssd_voc", "baseline", transfer=1), batch=99)
    with pytest.raises(UserError, match=r"baseline p0s0 and baseline p0s1 .* recipe\.batch: 16 and 99"):
        summarize(small.plan)


def test_pretraining_may_differ_in_regularizers_and_in_its_own_override(experiment):
    rows = {"baseline": {}, "dropblock": {"regularizers": {"dropblock": {"block": 7}}, "pretrain": {"epochs": 270}}}
    assert summarize(experiment(rows).plan).origins["dropblock"] == "own pretraining: epochs 270"


def test_pretraining_may_differ_in_nothing_else(experiment):
    small = experiment()
    small.recipe(small.run("pretrain", "cutmix"), lr=0.7)
    with pytest.raises(UserError, match=r"recipe\.lr: 0\.1 and 0\.7"):
        summarize(small.plan)


def test_a_brought_backbone_has_no_pretraining_recipe_to_compare(experiment):
    small = experiment({"baseline": {}, "mine": {"checkpoint": "mine.pth"}})
    small.recipe(small.run("pretrain", "mine"), lr=0.7)
    assert summarize(small.plan).origins["mine"] == "brought: mine.pth"
    small.edit(small.run("pretrain", "mine"), provenance={"data": "another"})
    with pytest.raises(UserError, match="data hash"):
        summarize(small.plan)


def test_a_missing_config_is_named_where_it_is_needed(experiment):
    small = experiment()
    run = small.run("ssd_voc", "cutmix")
    small.recipe(run, lr=0.1)
    Path(run.record).with_name("config.json").unlink()
    with pytest.raises(UserError, match=r"cutmix/p0s0/config\.json is missing"):
        summarize(small.plan)


def test_two_protocols_are_refused_by_key(experiment):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), protocol={"metric": "VOC12 area", "flips": True})
    with pytest.raises(UserError) as error:
        summarize(small.plan)
    text = str(error.value)
    assert text.startswith("ssd_voc: the records of baseline p0s0 and cutmix p0s0 cannot stand in one column")
    assert "differ in protocol.flips: absent and True; protocol.metric: VOC07 11-point and VOC12 area (" in text


@pytest.mark.parametrize("own", [{"preprocessing": {"channel_order": "BGR"}}, {"stride": "1x1"}])
def test_what_belongs_to_a_backbone_may_differ(experiment, own):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), protocol=own)
    assert summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"].delta is not None


@pytest.mark.parametrize("row", ["cutmix", "longer", "mine"])
def test_classifiers_are_measured_in_one_way_too(experiment, row):
    small = experiment(
        {"baseline": {}, "cutmix": {}, "longer": {"pretrain": {"epochs": 270}}, "mine": {"checkpoint": "mine.pth"}}
    )
    small.edit(small.run("pretrain", "longer"), protocol={"epoch": "last of 270"})
    small.edit(small.run("pretrain", "mine"), protocol={"epoch": "brought"})
    assert summarize(small.plan).cells[row, "pretrain", "top1_error"].delta is not None
    small.edit(small.run("pretrain", row), protocol={"split": "other images"})
    with pytest.raises(UserError, match=r"protocol\.split: 400 validation images, resize 56, crop 48 and other images"):
        summarize(small.plan)


def test_sizes_of_its_own_are_a_way_to_measure_of_its_own(experiment):
    small = experiment({"baseline": {}, "larger": {"pretrain": {"size": 96}}})
    small.edit(small.run("pretrain", "larger"), protocol={"split": "400 validation images, resize 56, crop 96"})
    assert summarize(small.plan).cells["larger", "pretrain", "top1_error"].delta is not None
