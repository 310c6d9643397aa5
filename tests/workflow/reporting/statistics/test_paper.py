"""The paper's numbers join with our names."""

import numpy as np
import pytest

from tests.conftest import PROJECT
from workflow import registry
from workflow.config.loading import load
from workflow.reporting.statistics.paper import FILE, paper_numbers, rows
from workflow.reporting.summary import summarize

SOURCES = (
    "CutMix, ICCV 2019, ",
    "README of the reference code",
    "README of ildoonet/cutmix",
    "slides of a course project",
    "Choe et al., ",
)


def test_every_number_has_our_names_and_a_source_and_stands_once():
    tables = {room: rows(room / FILE) for room in {task.room for task in registry.tasks().values()}}
    names = ("network", "backbone", "task", "metric", "pretraining")
    keys = [tuple(map(row.get, names)) for table in tables.values() for row in table]
    assert len(set(keys)) == len(keys) == 299
    assert {key[-1] for key in keys} - {None} <= registry.datasets().keys()
    planned = load(PROJECT / "config/cifar.yaml")  # of the paper's seven sets of images
    tasks = registry.tasks() | {"ood_cifar": registry.task_of(planned, "ood_cifar")}
    for room, table in tables.items():
        assert all(tasks[row["task"]].room == room for row in table), "of its own tasks"
        assert all(tasks[row["task"]].metric(row["metric"]) for row in table)
        assert all(row["source"].startswith(SOURCES) for row in table)


def test_the_mean_over_the_seven_sets_is_the_one_of_table_12():
    numbers = paper_numbers("cifar100")
    rows = {key[1] for key in numbers if key[2] == "ood_cifar"}
    assert rows == {"baseline", "mixup", "cutout", "cutmix"}
    for row in rows:
        own = {key[3]: number.value for key, number in numbers.items() if key[1:3] == (row, "ood_cifar")}
        for metric in ("TNR_at_TPR95", "AUROC", "detection_accuracy"):
            each = [value for name, value in own.items() if name.startswith(f"{metric}_")]
            assert len(each) == 7
            assert own[metric] == pytest.approx(np.mean(each), abs=0.06), "to the printed digit"


def test_a_room_without_such_a_table_has_no_numbers(tmp_path):
    assert rows(tmp_path / FILE) == []


def test_numbers_are_those_of_the_paper():
    numbers = paper_numbers("imagenet")
    assert numbers["resnet50", "cutmix", "pretrain", "top1_error"].value == 21.4
    assert numbers["resnet50", "mixup", "faster_rcnn_voc", "mAP"].value == 73.9
    assert numbers["resnet50", "cutout", "nic_coco", "CIDEr"].value == 74.1
    backbones = ("baseline", "mixup", "cutout", "cutmix")
    assert [numbers["resnet50", row, "faster_rcnn_coco", "AP"].value for row in backbones] == [33.3, 34.2, 34.3, 35.2]
    attacked = [numbers["resnet50", row, "robustness_imagenet", "fgsm_accuracy"].value for row in backbones]
    assert attacked == [8.2, 24.4, 11.5, 31.0]
    assert [numbers["resnet50", row, "wsol_cub", "Top-1 Loc"].value for row in backbones] == [49.41, 49.3, 52.78, 54.81]
    assert numbers["vgg16_gap", "cutmix", "wsol_imagenet", "Top-1 Loc"].value == 43.45
    assert numbers["resnet50", "dropblock", "pretrain", "top5_error"].note == "quoted from its authors' paper"


def test_numbers_stand_beside_networks_that_are_pretrained_on_their_set():
    network = "pyramidnet200_a240_bottleneck"
    found = {name: paper_numbers(name) for name in ("imagenet", "cifar10", "cifar100")}
    assert found["cifar100"][network, "cutmix", "pretrain", "top1_error"].value == 14.47
    assert found["cifar10"][network, "cutmix", "pretrain", "top1_error"].value == 2.88
    assert found["cifar100"][network, "cutmix", "ood_cifar", "AUROC"].value == 94.4
    assert (network, "cutmix", "ood_cifar", "AUROC") not in found["cifar10"], "Table 12 is on CIFAR-100"
    assert not any(key[0] == network for key in found["imagenet"])
    assert ("resnet50", "cutmix", "pretrain", "top1_error") not in found["cifar10"]
    transfer = ("resnet50", "cutmix", "ssd_voc", "mAP")
    assert (transfer in found["imagenet"], transfer in found["cifar10"]) == (True, False), "transfers are from ImageNet"


def test_cells_carry_the_paper_s_number_and_its_change(experiment):
    table = summarize(experiment().plan).cells
    cell = table["cutmix", "ssd_voc", "mAP"]
    assert cell.paper.value == 77.6
    assert round(cell.paper_delta, 6) == 0.9
    assert table["cutmix", "ssd_voc", "mAP_area"].paper is None
    base = table["baseline", "ssd_voc", "mAP"]
    assert (base.paper.value, base.paper_delta) == (76.7, None)


def test_no_paper_s_number_stands_next_to_other_data(experiment):
    """Those of a task with its own data, and all of them where the backbones are of other data."""
    for name, seen in (("voc", {"pretrain", "nic_coco"}), ("imagenet", set())):
        small = experiment(data={"voc": {"root": "y"}, name: {"synthetic": {}}})
        assert {cell.task for cell in summarize(small.plan).cells.values() if cell.paper} == seen


def test_a_part_of_a_set_is_not_the_paper_s_data(certain):
    """The published set has 40,504 test images; ours has 40."""
    small = certain(1)
    assert {cell.task for cell in summarize(small.plan).cells.values() if cell.paper} == {"pretrain", "nic_coco"}
    small.plan.config["data"]["coco"] = {"root": "z", "split": "2014"}
    assert {cell.task for cell in summarize(small.plan).cells.values() if cell.paper} == {"pretrain"}
