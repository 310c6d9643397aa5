"""What the detection tests share: a published backbone of random weights, and the tasks in small."""

import copy
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torchvision.models import resnet50

import detection.coco_metric
import detection.loading
import detection.metric
import detection.models
import detection.ssd_crop
import detection.voc_reader  # noqa: F401 (registers)
import workflow.training.seeding  # noqa: F401 (registers)
from backbones.backbone import IMAGENET, Preprocessing, load_backbone, publish_untrained, save_backbone
from detection.build_config import task
from detection.train import parts
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec

RESNET50 = registry.networks()["resnet50"]
COMMON = {
    "iterations": 4,
    "batch_size": 2,
    "lr": 0.001,
    "momentum": 0.9,
    "weight_decay": 5e-4,
    "warmup_iters": 2,
    "milestones": [3],
}
COMMON |= {"precision": "fp32", "frozen_stages": 1, "freeze_bn": True, "eval_interval": 0}
VOC = {"difficult": "background"}
SSD = {**COMMON, **VOC, "size": 96, "expand_ratio": 4, "score_threshold": 0.01}
FASTER = {
    **COMMON,
    "min_size": 96,
    "max_size": 96,
    "rois_per_image": 8,
    "rpn_post_nms_top_n": {"train": 40, "test": 10},
    "roi_output_size": 7,
}
FASTER |= {"anchor_scales": [2, 4, 8], "box_loss": "l1", "bias_decay": True, "nms_threshold": 0.5}
FASTER |= {"score_threshold": 0.05}
PYRAMID = COMMON | {"min_size": 96, "max_size": 96, "nms_threshold": 0.5, "score_threshold": 0.05}
RECIPES = {"ssd_voc": SSD, "faster_rcnn_voc": FASTER | VOC, "faster_rcnn_coco": FASTER}
RECIPES |= {"retinanet_voc": PYRAMID | VOC, "faster_rcnn_fpn_voc": PYRAMID | VOC, "faster_rcnn_fpn_coco": PYRAMID}


def make_run(name: str, **changes) -> RunSpec:
    """A run of task `name` under the small recipe with `changes`."""
    recipe = {**RECIPES[name], **changes}
    return RunSpec(name, "baseline", {"pretrain": 0, "transfer": 0}, recipe, {}, threads=1, workers=0, gpus=0)


@pytest.fixture(autouse=True)
def scope():
    """mmdet's registries come first, as in a training, whatever a test before has left."""
    init_default_scope("mmdet")


@pytest.fixture(scope="session")
def published(tmp_path_factory):
    """A published ResNet-50 of random weights, BatchNorm statistics included; path and torchvision network."""
    torch.manual_seed(0)
    network = resnet50(zero_init_residual=True)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.normal_(module.running_mean, 0, 0.1)
            torch.nn.init.uniform_(module.running_var, 0.5, 1.5)
            module.weight.data.clamp_(min=0.2)  # of a branch's last norm, else 0; with 1 the signal would explode
    path = tmp_path_factory.mktemp("backbone") / "backbone.safetensors"
    save_backbone(path, network.state_dict(), IMAGENET, "resnet50", origin="random", classes=[], recipe="")
    return SimpleNamespace(path=path, network=network.eval())


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """The path of a published network of a hundredth of ResNet-50's weights, for whole runs."""
    path = tmp_path_factory.mktemp("tiny") / "backbone.safetensors"
    publish_untrained(path, "timm/test_resnet")
    return path


@pytest.fixture(scope="session")
def checks(voc, coco):
    """The check of each task's data."""
    return {name: (voc if name.endswith("voc") else coco).check for name in RECIPES}


@pytest.fixture(scope="session")
def build(checks, published):
    """build(task, prepare, **recipe changes): its network with the published backbone, and both of its loaders."""

    MMLogger.get_instance("detection-tests", log_level="ERROR")  # or mmengine prints every weight's origin

    models: dict[str, torch.nn.Module] = {}

    def loaded(cfg: Config) -> torch.nn.Module:
        """A copy: weights are drawn once for equal models."""
        key = str(cfg.model)
        if key not in models:
            model = MODELS.build(cfg.model)
            model.init_weights()
            load_backbone(published.path, *parts(model))
            while len(models) >= 6:  # of 160 MB each
                models.pop(next(iter(models)))
            models[key] = model
        return copy.deepcopy(models[key])

    def built(name: str, prepare: Preprocessing = IMAGENET, **changes) -> SimpleNamespace:
        init_default_scope("mmdet")
        check = DatasetInfo.read(checks[name])
        cfg = Config(task(make_run(name, **changes), check, prepare, RESNET50, Path("unused")))
        torch.manual_seed(0)
        model = loaded(cfg)
        train, val = (Runner.build_dataloader(cfg[f"{part}_dataloader"]) for part in ("train", "val"))
        return SimpleNamespace(model=model, train=train, val=val, cfg=cfg)

    return built
