"""The configs that come with the project."""

import pytest

from tests.snakemake_call import PROJECT
from workflow.config import loading
from workflow.planning.plan import plan
from workflow.registry import network_name, network_of
from workflow.reporting.statistics.paper import paper_numbers

THEIRS = {
    "autoaugment", "cutmix", "cutout", "dropblock", "feature_cutmix", "label_smoothing", "manifold_mixup", "mixup",
    "stochastic_depth",
}  # fmt: skip


BELOW = {"demo-all": "demo", "robustness": "paper"}  # which config another one is laid over


def with_base(path):
    """The files of a shipped config: its own, after the one that it is laid over."""
    return [path.with_stem(BELOW[path.stem]), path] if path.stem in BELOW else [path]


def trainable(pretraining):
    """The (network, row) of the printed classification errors; without gather-excite, which no library has, and those
    of other codes and unstated recipes."""
    numbers = {key: one for key, one in paper_numbers(pretraining).items() if key[2] == "pretrain"}
    others = ("resnet18", "resnet34")
    return {
        (network, row)
        for (network, row, *_), one in numbers.items()
        if network not in others and "gather-excite" not in one.note and "ildoonet" not in one.source
    }


@pytest.mark.parametrize("path", sorted(PROJECT.glob("config/*.yaml")), ids=lambda path: path.stem)
def test_every_config_that_is_shipped_opens(path):
    assert loading.load(*with_base(path))["experiment"] == BELOW.get(path.stem, path.stem)


def test_demo_and_paper_have_a_row_for_each_regularizer_of_the_paper():
    demo = loading.load(PROJECT / "config/demo.yaml", PROJECT / "config/demo-all.yaml")
    paper = loading.load(PROJECT / "config/paper.yaml")
    for rows in (demo["backbones"], paper["backbones"]):
        named = {name: set(row["regularizers"]) for name, row in rows.items() if "regularizers" in row}
        assert named == {name: {name} for name in THEIRS}


def test_the_paper_s_other_networks_have_its_recipe_and_a_row_for_each_of_its_numbers():
    paper, other = (loading.load(PROJECT / f"config/{name}.yaml") for name in ("paper", "networks"))
    for section, key in (("pretrain", None), ("tasks", "ssd_voc"), ("backbones", "cutmix"), ("data", "imagenet")):
        assert other[section] == paper[section] if key is None else other[section][key] == paper[section][key]
    printed = trainable("imagenet")
    rows = {(each.get("network", "resnet50"), name) for name, each in other["backbones"].items()}
    assert {each for each in printed if each[0] != "resnet50"} == {each for each in rows if each[0] != "resnet50"}
    assert len({run.backbone for run in plan(other).runs}) == len(rows) == 12


@pytest.mark.parametrize(("name", "pretraining"), [("cifar", "cifar100"), ("cifar10", "cifar10")])
def test_the_paper_s_tables_on_cifar_have_a_row_for_each_of_its_numbers(name, pretraining):
    config = loading.load(PROJECT / f"config/{name}.yaml")
    rows = {(network_name(config, row), row) for row in config["backbones"]}
    printed = trainable(pretraining)
    assert printed <= rows
    assert len(plan(config).runs) == 3 * len(rows) * (1 + len(config["tasks"]))
    unprinted = {row for _, row in rows - printed}
    assert all(row.startswith(("cutmix_alpha_", "feature_cutmix_", "manifold_mixup_")) for row in unprinted), "sweeps"
    assert len(unprinted) == (13 if name == "cifar" else 0)


def test_both_tables_on_cifar_have_one_recipe_and_the_papers_settings():
    hundred, ten = (loading.load(PROJECT / f"config/{name}.yaml") for name in ("cifar", "cifar10"))
    assert ten["pretrain"] == hundred["pretrain"] | {"data": "cifar10"}
    assert ten["backbones"].items() <= hundred["backbones"].items()
    assert (ten["seeds"], ten["tasks"]) == (hundred["seeds"], hundred["tasks"])
    settings = [hundred["pretrain"][k] for k in ("epochs", "batch_size", "lr", "milestones", "crop_padding")]
    assert settings == [300, 64, 0.25, [150, 225], 4]
    alphas = {row: each["regularizers"]["cutmix"]["alpha"] for row, each in hundred["backbones"].items()
              if row.startswith("cutmix_alpha_")}  # fmt: skip
    assert alphas == {f"cutmix_alpha_{alpha}": float(alpha) for alpha in ("0.1", "0.25", "0.5", "2", "4")}
    stages = [stage.name for stage in network_of(hundred, "baseline").stages]
    for mixing in ("feature_cutmix", "manifold_mixup"):
        sweep = [hundred["backbones"][f"{mixing}_{place}"]["regularizers"][mixing]["layers"] for place in (1, 2, 3, 4)]
        assert sweep == [[stage] for stage in stages]


def test_the_paper_has_the_papers_settings():
    paper = loading.load(PROJECT / "config/paper.yaml")
    pretrain, tasks = paper["pretrain"], paper["tasks"]
    ssd, rcnn, nic = (tasks[name] for name in ("ssd_voc", "faster_rcnn_voc", "nic_coco"))
    assert [pretrain[k] for k in ("epochs", "batch_size", "lr", "milestones")] == [300, 256, 0.1, [75, 150, 225]]
    assert [ssd[k] for k in ("iterations", "batch_size", "lr", "milestones", "size")] == [
        120000,
        32,
        1e-3,
        [80000, 100000],
        300,
    ]
    assert [rcnn[k] for k in ("iterations", "batch_size", "lr", "milestones", "min_size")] == [
        120000,
        8,
        0.01,
        [100000],
        600,
    ]
    assert [nic[k] for k in ("epochs", "batch_size", "lr", "beam_size", "hidden_size", "min_word_count")] == [
        100,
        20,
        1e-3,
        20,
        300,
        4,
    ]
    assert paper["backbones"]["cutout"]["regularizers"]["cutout"]["size"] == 112


def test_the_learning_rates_of_the_sensitivity_config_are_a_third_and_three_times_the_demo_s():
    demo, other = (loading.load(PROJECT / f"config/{name}.yaml") for name in ("demo", "sensitivity"))
    assert other["pretrain"] == demo["pretrain"]
    assert other["data"].items() <= demo["data"].items()
    assert other["backbones"].items() <= demo["backbones"].items(), "whose backbones it shares"
    trained = [name for name in demo["tasks"] if "lr" in demo["tasks"][name]]
    assert list(other["tasks"]) == [f"{name}{rate}" for name in trained for rate in ("", "_low_lr", "_high_lr")]
    for name in trained:
        recipe = demo["tasks"][name]
        assert other["tasks"][name] == recipe
        for instance, factor in (("low_lr", 1 / 3), ("high_lr", 3)):
            one = other["tasks"][f"{name}_{instance}"]
            assert one == recipe | {"task": name, "lr": one["lr"]}
            assert one["lr"] == pytest.approx(factor * recipe["lr"], rel=0.01)
