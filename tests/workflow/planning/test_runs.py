"""The network of a row: a part of its backbone's recipe, key and run, whatever its origin."""

import json

from tests.workflow.planning.test_plan import TASKS, differing, planned
from workflow.planning.cost import kinds, named

ROWS = {"baseline": {}, "r18": {"network": "resnet18"}, "scratch18": {"init": "random", "network": "resnet18"}}


def test_the_network_is_part_of_every_backbone_s_recipe_and_key(tmp_path):
    """Of one that is trained, imported or random."""
    (tmp_path / "mine.pth").write_bytes(b"weights")
    rows = {"baseline": {}, "mine": {"checkpoint": str(tmp_path / "mine.pth")}, "scratch": {"init": "random"}}
    one, other = (planned(("backbones", rows), ("pretrain/network", name)) for name in ("resnet18", "resnet50"))
    assert {backbone for task, backbone in differing(one, other, "weights") if task == "pretrain"} == rows.keys()
    assert [run.run["recipe"]["network"] for run in one.runs if run.task == "pretrain"] == ["resnet18"] * 3


def test_a_row_has_the_network_that_it_names(tmp_path):
    (tmp_path / "mine.pth").write_bytes(b"weights")
    rows = ROWS | {"mine": {"checkpoint": str(tmp_path / "mine.pth"), "network": "resnet18"}}
    todo = planned(("backbones", rows))
    networks = {run.backbone: run.run["recipe"]["network"] for run in todo.runs if run.task == "pretrain"}
    assert networks == {"baseline": "resnet50"} | dict.fromkeys(("r18", "scratch18", "mine"), "resnet18")


def test_another_network_of_a_row_changes_its_runs_and_no_others():
    one = planned(("backbones", ROWS))
    other = planned(("backbones", ROWS | {"r18": {}}))
    assert {backbone for _, backbone in differing(one, other, "weights")} == {"r18"}
    assert differing(one, other, "state") == {(task, "r18") for task in ("pretrain", *TASKS)}


def test_a_row_that_names_the_network_of_all_has_the_same_runs():
    """Also as text: Snakemake compares that."""
    one, other = (planned(("backbones", {"baseline": row})) for row in ({}, {"network": "resnet50"}))
    assert [json.dumps(run.run) for run in one.runs] == [json.dumps(run.run) for run in other.runs]
    assert one.runs == other.runs


def test_each_network_of_a_task_costs_what_it_costs():
    todo = planned(("backbones", ROWS | {"cutmix": {"regularizers": {"cutmix": {"alpha": 1.0, "probability": 1.0}}}}))
    counted = {named(todo, key): [run.backbone for run in runs] for key, runs in kinds(todo).items()}
    assert counted == {
        "pretrain resnet50": ["baseline", "cutmix"],
        "pretrain resnet18": ["r18"],
        **{f"{task} resnet50": ["baseline", "cutmix"] for task in TASKS},
        **{f"{task} resnet18": ["r18", "scratch18"] for task in TASKS},
    }
    alone = planned(("backbones", {"baseline": {}}))
    assert [named(alone, key) for key in kinds(alone)] == ["pretrain", *TASKS]


def test_scenes_are_made_anew_where_their_photos_changed(tmp_path):
    spec = {"photos": str(tmp_path), "trainval07": 4, "trainval12": 4, "test07": 4, "size": 64, "seed": 0}

    def checks():
        return planned(("data/voc", {"synthetic": spec})).checks

    before = checks()
    (tmp_path / "train").mkdir()
    (tmp_path / "train/a.png").write_bytes(b"photo")
    after = checks()
    assert before["voc"] != after["voc"]
    assert checks() == after
    assert before["coco"] == after["coco"]
    (tmp_path / "train/a.png").write_bytes(b"another")
    assert checks()["voc"] != after["voc"]
