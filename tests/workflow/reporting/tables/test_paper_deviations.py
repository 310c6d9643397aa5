"""What differs from the paper: one list for page and README, and one by comparison with config/paper.yaml."""

import copy
from pathlib import Path

import pytest
import yaml

from workflow.config.loading import load, overlay
from workflow.planning.plan import plan
from workflow.reporting.page.html_page import html
from workflow.reporting.summary import summarize
from workflow.reporting.tables.paper_deviations import (
    PAPER,
    PAPERS,
    Departure,
    choices,
    compared,
    departures,
    paper_config,
)

HOUSE = Path(__file__).parents[4]


def test_each_room_lists_its_own():
    files = {file.parts[-3]: len(yaml.safe_load(file.read_text())) for file in HOUSE.glob("*/report/choices.yaml")}
    assert files.keys() >= {"pretrain", "detection", "captioning"}
    of_all = yaml.safe_load((HOUSE / "workflow/reporting/tables/choices.yaml").read_text())
    assert len(choices()) == len(of_all) + sum(files.values())
    assert len({what for what, _ in choices()}) == len(choices())


@pytest.mark.parametrize("file", PAPERS, ids=lambda file: file.stem)
def test_the_paper_s_configs_depart_nowhere(file):
    assert departures(load(file)) == []


def test_a_config_is_compared_with_the_paper_s_on_its_pretraining_set():
    renamed = {"pretrain": {"data": "mine"}, "data": {"mine": {"layout": "cifar100", "root": "data"}}}
    assert paper_config(renamed).name == "cifar.yaml"
    renamed["data"]["mine"]["layout"] = "fashion_mnist"
    assert paper_config(renamed) == PAPER


def test_from_where_data_are_fetched_is_no_departure():
    assert departures(plan(load(PAPER)).config) == []


def test_a_changed_value_is_named_with_both():
    changed = {"pretrain": {"lr": 0.5}, "tasks": {"ssd_voc": {"freeze_bn": False}}, "seeds": {"transfer": [0, 1]}}
    found = departures(overlay(load(PAPER), changed) | {"experiment": "other", "resources": {"cpu_threads": 99}})
    assert found == [
        Departure("seeds.transfer", "0 1", "0"),
        Departure("pretrain.lr", "0.5", "0.1"),
        Departure("tasks.ssd_voc.freeze_bn", "no", "yes"),
    ]


def test_a_number_written_otherwise_is_no_departure():
    config = load(PAPER)
    cutmix, images = config["backbones"]["cutmix"]["regularizers"]["cutmix"], config["data"]["imagenet"]
    cutmix["alpha"] = int(cutmix["alpha"])
    assert departures(config) == []
    assert compared("data", {"set": images | {"size": 1}}, {"set": images | {"size": 1.0}}, whole=True) == []
    assert compared("data", {"set": {"size": True}}, {"set": {"size": 1}}, whole=True)


def test_rows_and_columns_that_one_has_alone_are_named():
    config = copy.deepcopy(load(PAPER))
    del config["backbones"]["dropblock"], config["tasks"]["nic_coco"]
    config["backbones"]["mine"] = {"init": "random"}
    config["backbones"]["cutout"]["regularizers"]["cutout"]["size"] = 24
    assert departures(config) == [
        Departure("backbones.cutout.regularizers.cutout.size", "24", "112"),
        Departure("backbones.dropblock", "absent", "there"),
        Departure("backbones.mine", "there", "absent"),
        Departure("tasks.nic_coco", "absent", "there"),
    ]


def test_the_demo_departs_in_its_data_and_sizes():
    demo = load(HOUSE / "config/demo.yaml")
    found = {departure.key: departure for departure in departures(demo)}
    assert found["pretrain.epochs"][1:] == (str(demo["pretrain"]["epochs"]), "300")
    assert found["data.voc"].here.startswith(f"synthetic classes {demo['data']['voc']['synthetic']['classes']}")
    assert not {"experiment", "resources"} & found.keys()


def test_both_lists_stand_on_the_page(experiment):
    small = experiment()
    departed = [Departure("pretrain.lr", "<b>0.5", "0.1")]
    text = html(summarize(small.plan), small.folder, {}, {}, departed, {})["transfer.html"]
    section = text.partition('<h2 id="differences">')[2].partition("</section>")[0]
    assert "<summary>1 value</summary>" in section
    assert "&lt;b&gt;0.5</td><td" in section
    assert "Where this config is not config/paper.yaml" in section
    assert section.count("<tr>") == len(choices()) + 1 + 2
    nowhere = html(summarize(small.plan), small.folder, {}, {}, [], {})["transfer.html"]
    assert "<p>Nowhere.</p>" in nowhere
