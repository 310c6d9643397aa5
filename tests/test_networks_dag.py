"""Networks of four families from YAML to the end: pretraining, every task that takes them, the report, the export, and
predictions by what was trained. Two tables, as the task on C4 takes the residual networks only."""

import json
from collections.abc import Iterable
from pathlib import Path

import pytest
import timm
import torch
import yaml
from safetensors.torch import load_file

from tests.demo import demo
from tests.robustness.recipes import RECIPE
from tests.snakemake_call import caller
from tests.test_dag import DRAWN, ON_COCO, RCNN, TINY, cells
from workflow import registry
from workflow.config.loading import overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.data.voc_lists import members
from workflow.planning.plan import Plan, plan

pytestmark = pytest.mark.slow

DEMO = demo("baseline")
PYRAMID = {"iterations": 2, "batch_size": 2, "warmup_iters": 1, "milestones": [1], "min_size": 96, "max_size": 96}
SCORED = {"robustness_imagenet": RECIPE}
RESIDUAL, OTHERS = ("resnet18", "resnet50"), ("timm/convnext_tiny", "timm/swin_tiny_patch4_window7_224")


def recipe(task: str) -> dict:
    """The demo's of Faster R-CNN in small, with the keys that the task has."""
    keys = registry.task_schemas()[task]["properties"]
    known = {**ON_COCO, "difficult": "background", **RCNN, **PYRAMID}
    return {key: value for key, value in known.items() if key in keys}


def tiny(networks: tuple[str, ...]) -> dict:
    """One row a network, every detector and captioner that takes them all, and their robustness."""
    declared = [registry.network(name) for name in networks]
    tasks = {
        name: task for name, task in registry.transfer_tasks().items() if task.folder in ("detection", "captioning")
    }
    tasks = {name: TINY["tasks"].get(name) or recipe(name) for name in tasks}
    boxes = {"score_threshold": 0.0, "lr": 1.0e-3}  # some boxes of every network, and a loss that does not diverge
    tasks = {name: section | ({} if name == "nic_coco" else boxes) for name, section in tasks.items()}
    config = overlay(DEMO, {**TINY, "tasks": tasks | SCORED})
    takes = {
        name: section
        for name, section in config["tasks"].items()
        if not any(registry.tasks()[name].rejects(network, section) for network in declared)
    }
    rows = {name.split("/")[-1].split("_")[0]: {"network": name} for name in networks}
    resources = DEMO["resources"] | {"keep_networks": True}
    small = DRAWN | {"imagenet": {"synthetic": {"classes": 4, "train": 16, "val": 8, "size": 48, "seed": 0}}}
    return config | {"backbones": rows, "data": small, "tasks": takes, "resources": resources}


def first_image(predictions: list[dict], root: Path) -> tuple[int, Path]:
    """(number, file) of the first test image: VOC's are numbered in the order of their list."""
    number = min(one["image_id"] for one in predictions)
    if (root / "VOC2007").is_dir():
        return number, next(iter(members(root, "test07").values()))
    return number, next((root / "val2014").glob(f"*_{number:012d}.jpg"))


def boxes(predictions: Iterable[dict]) -> list[tuple]:
    """What is compared of detections."""
    return [(one["category_id"], one["bbox"], one["score"]) for one in predictions]


@pytest.fixture(scope="module", params=[RESIDUAL, OTHERS], ids=["residual", "others"])
def finished(request, tmp_path_factory) -> tuple[Plan, Path]:
    """(plan, folder) of a table that Snakemake has made."""
    config, folder = tiny(request.param), tmp_path_factory.mktemp("networks")
    (folder / "tiny.yaml").write_text(yaml.safe_dump(config))
    status, said = caller(folder)("--cores", "2", "--configfile", "tiny.yaml", timeout=1500)
    assert status == 0, said[-5000:]
    return plan(config), folder


def test_every_task_that_takes_a_network_is_in_the_table(finished):
    todo, folder = finished
    pyramids = {"ssd_voc", "retinanet_voc", "faster_rcnn_fpn_voc", "faster_rcnn_fpn_coco", "nic_coco"}
    residual = "resnet18" in todo.backbones
    two_stages = {"faster_rcnn_voc", "faster_rcnn_coco"} if residual else set()
    assert set(todo.tasks) == pyramids | two_stages | SCORED.keys()
    found = cells(todo, folder)
    columns = ("pretrain", *todo.tasks)
    assert {cell[:2] for cell in found} == {(row, task) for row in todo.backbones for task in columns}
    page = next(file for file in todo.report if file.endswith(".html"))
    assert all(todo.config["backbones"][row]["network"] in (folder / page).read_text() for row in todo.backbones)


def test_every_backbone_leaves_for_timm(finished, monkeypatch):
    from backbones.backbone import load_weights, network_of
    from backbones.cli import main
    from backbones.construct import build

    todo, folder = finished
    for run in (one for one in todo.runs if one.task == registry.PRETRAIN):
        published, out = folder / run.weights, folder / "exported" / run.backbone
        monkeypatch.setattr("sys.argv", ["backbones", "export", str(published.parent), "--out", str(out)])
        main()
        there = timm.create_model(f"local-dir:{out}", pretrained=True).eval()
        weights, _ = load_weights(published)
        here = build(network_of(published), classes=4).eval()
        here.load_state_dict(weights)
        images = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            assert torch.equal(there(images), here(images)), run.backbone
        assert load_file(out / "model.safetensors").keys() == weights.keys()


def test_every_network_predicts_what_its_evaluation_said(finished, monkeypatch):
    from captioning.cli import main as captioning
    from detection.cli import main as detection

    todo, folder = finished
    for run in (one for one in todo.runs if one.task not in (registry.PRETRAIN, *SCORED)):
        record = (folder / run.record).parent
        said = json.loads((record / "predictions.json").read_text())
        number, photo = first_image(said, folder / DatasetInfo.read(folder / run.check).root)
        out = folder / "predicted" / run.task / run.backbone
        if run.task == "nic_coco":
            out = out.with_suffix(".json")
            out.parent.mkdir(parents=True, exist_ok=True)
            words = ["captioning", "describe", "--run", str(record), str(photo), "--out", str(out)]
            monkeypatch.setattr("sys.argv", words)
            captioning()
            (found,) = json.loads(out.read_text())
            assert found["caption"] == next(one["caption"] for one in said if one["image_id"] == number)
        else:
            words = ["detection", "predict", "--run", str(record), str(photo), "--out", str(out)]
            monkeypatch.setattr("sys.argv", words)
            detection()
            found = json.loads((out / "predictions.json").read_text())
            assert found, "a threshold of 0 leaves boxes"
            assert boxes(found) == boxes(one for one in said if one["image_id"] == number)
