"""The paper's numbers join with our names."""

from workflow import registry
from workflow.reporting.statistics.paper import FILE, paper_numbers, rows
from workflow.reporting.summary import summarize


def test_every_number_has_our_names_and_a_source_and_stands_once():
    tables = {room: rows(room / FILE) for room in {task.room for task in registry.tasks().values()}}
    keys = [(row["network"], row["backbone"], row["task"], row["metric"]) for table in tables.values() for row in table]
    assert len(set(keys)) == len(keys) == 97
    for room, table in tables.items():
        tasks = {name: task for name, task in registry.tasks().items() if task.room == room}
        assert all(tasks[row["task"]].metric(row["metric"]) for row in table), "of its own tasks"
        assert all(row["source"].startswith(("CutMix, ICCV 2019, ", "README of the reference code")) for row in table)


def test_a_room_without_such_a_table_has_no_numbers(tmp_path):
    assert rows(tmp_path / FILE) == []


def test_numbers_are_those_of_the_paper():
    numbers = paper_numbers()
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


def test_cells_carry_the_paper_s_number_and_its_change(experiment):
    table = summarize(experiment().plan).cells
    cell = table["cutmix", "ssd_voc", "mAP"]
    assert cell.paper.value == 77.6
    assert round(cell.paper_delta, 6) == 0.9
    assert table["cutmix", "ssd_voc", "mAP_area"].paper is None
    base = table["baseline", "ssd_voc", "mAP"]
    assert (base.paper.value, base.paper_delta) == (76.7, None)
