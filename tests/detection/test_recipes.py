"""The recipes in the manual of the config are valid, and mmdetection's own where it has them."""

import re
from pathlib import Path

import mmdet
import pytest
import yaml
from mmengine.config import Config

from tests.conftest import PROJECT
from tests.test_dag import DEMO
from workflow.config import loading

PAGE = (PROJECT / "config/README.md").read_text(encoding="utf-8")
EXAMPLE = re.search(r"```yaml\n(tasks:\n  retinanet_voc.*?)```", PAGE, re.DOTALL)[1]
TASKS = yaml.safe_load(EXAMPLE)["tasks"]
IMAGES = {"voc": 16551, "coco": 82081}  # with an object


def test_they_are_valid():
    config = DEMO | {"tasks": TASKS}
    loading.check(config, "x.yaml")


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("retinanet_voc", "pascal_voc/retinanet_r50_fpn_1x_voc0712.py"),
        ("faster_rcnn_fpn_voc", "pascal_voc/faster-rcnn_r50_fpn_1x_voc0712.py"),
        ("faster_rcnn_fpn_coco", "faster_rcnn/faster-rcnn_r50_fpn_1x_coco.py"),
    ],
)
def test_they_are_mmdetections(name, file):
    theirs, recipe = Config.fromfile(Path(mmdet.__file__).parent / ".mim/configs" / file), TASKS[name]
    sgd = theirs.optim_wrapper.optimizer
    assert {key: recipe[key] for key in ("lr", "momentum", "weight_decay")} == {
        key: sgd[key] for key in sgd if key != "type"
    }
    assert recipe["batch_size"] == theirs.auto_scale_lr.base_batch_size
    (scale,) = {tuple(step.scale) for step in theirs.train_pipeline if step.type == "Resize"}
    assert (recipe["max_size"], recipe["min_size"]) == scale
    test = theirs.model.test_cfg.get("rcnn", theirs.model.test_cfg)
    assert (recipe["score_threshold"], recipe["nms_threshold"]) == (test.score_thr, test.nms.iou_threshold)
    backbone = theirs.model.backbone
    assert (recipe["frozen_stages"], recipe["freeze_bn"]) == (backbone.frozen_stages, backbone.norm_eval)
    kind = name.rpartition("_")[2]
    repeated = {"voc": 3, "coco": 1}[kind]  # in an epoch
    epoch = IMAGES[kind] * repeated / recipe["batch_size"]
    drops = next(one.milestones for one in theirs.param_scheduler if one.type == "MultiStepLR")
    wanted = [epoch * each for each in (*drops, theirs.train_cfg.max_epochs)]
    assert [*recipe["milestones"], recipe["iterations"]] == pytest.approx(wanted, rel=2e-3)
