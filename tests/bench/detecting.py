"""A training step of the detectors against mmdet as it comes: fp32, NCHW, its own modules and its OptimWrapper.

Both start from the same weights and see the same batch, which is already in memory: loading is left out on both sides.
"""

import copy
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.bench.row import Measured, Row, in_turn
from tests.checks import info
from workflow import registry

CLASSES = 20
STOCK = {  # what mmdet has in the place of our modules
    **{"SSDNeckWithL2Init": "SSDNeck", "FloatSSDHead": "SSDHead", "FloatRPNHead": "RPNHead"},
    **{"FloatRoIExtractor": "SingleRoIExtractor", "FloatBBoxHead": "BBoxHead", "FloatRetinaHead": "RetinaHead"},
    **{"FloatShared2FCBBoxHead": "Shared2FCBBoxHead", "BatchRoIHead": "StandardRoIHead"},
    **{"BatchAssigner": "MaxIoUAssigner", "BatchPreprocessor": "DetDataPreprocessor"},
}
RESNET = {"depth": 50, "norm_cfg": {"type": "BN", "requires_grad": False}, "norm_eval": True}
COMMON = {"iterations": 1, "lr": 1e-4, "momentum": 0.9, "weight_decay": 5e-4, "precision": "bf16", "freeze_bn": True}
COMMON |= {"difficult": "background", "score_threshold": 0.01}
SSD = {**COMMON, "batch_size": 4, "size": 300, "expand_ratio": 4, "frozen_stages": 1}
PROPOSALS = {"train": 1000, "test": 300}
FASTER = {**COMMON, "batch_size": 1, "min_size": 400, "max_size": 600, "frozen_stages": 1}
FASTER |= {"rois_per_image": 64, "rpn_post_nms_top_n": PROPOSALS, "roi_output_size": 14}
FASTER |= {"anchor_scales": [2, 4, 8, 16, 32], "box_loss": "l1", "bias_decay": True, "nms_threshold": 0.5}

Step = Callable[[], Any]


def batch(count: int, height: int, width: int) -> dict[str, list]:
    """What mmdet's loader hands over: noise with eight boxes an image."""
    import torch
    from mmdet.structures import DetDataSample
    from mmengine.structures import InstanceData

    draw = torch.Generator().manual_seed(0)
    images, samples = [], []
    for number in range(count):
        images.append(torch.randint(0, 256, (3, height, width), dtype=torch.uint8, generator=draw))
        sides = 40 + torch.rand(8, 2, generator=draw) * 150
        corners = torch.rand(8, 2, generator=draw) * (torch.tensor([width, height]) - sides)
        labels = torch.randint(0, CLASSES, (8,), generator=draw)
        shape = {"img_shape": (height, width), "ori_shape": (height, width), "scale_factor": (1.0, 1.0)}
        sample = DetDataSample(metainfo={"img_id": number, **shape})
        sample.gt_instances = InstanceData(bboxes=torch.cat([corners, corners + sides], dim=1), labels=labels)
        sample.ignored_instances = InstanceData(bboxes=torch.zeros(0, 4), labels=torch.zeros(0, dtype=torch.long))
        samples.append(sample)
    return {"inputs": images, "data_samples": samples}


def stock(config: Any) -> Any:
    """A copy of the network's config with mmdet's own modules."""
    kind = config.get("type") if isinstance(config, dict) else None
    if kind == "LastStage":
        return RESNET | {"type": "ResLayer"}
    if kind == "NetworkBackbone":
        count = max(config["out_indices"]) + 1
        kept = {key: config[key] for key in ("out_indices", "frozen_stages")}
        steps = {"strides": (1, 2, 2, 2)[:count], "dilations": (1,) * count}
        return RESNET | {"type": "ResNet", "num_stages": count} | steps | kept
    if isinstance(config, dict):
        return {key: STOCK.get(value, value) if key == "type" else stock(value) for key, value in config.items()}
    return [stock(one) for one in config] if isinstance(config, (list, tuple)) else config


def step(network: Any, optimizer: dict, wrapper: dict, data: dict) -> Step:
    """One training step, as mmengine's loop does it."""
    import torch
    from mmengine.optim import build_optim_wrapper

    optim = build_optim_wrapper(network.train(), {**wrapper, "optimizer": optimizer})

    def one() -> torch.Tensor:
        torch.manual_seed(0)
        return network.train_step(copy.deepcopy(data), optim)["loss"]

    return one


def pair(name: str, recipe: dict, device: str = "cpu") -> tuple[Step, Step]:
    """Our step and mmdet's; each gets its batch as its loader gives it, ours pinned where there is a GPU."""
    from mmdet.registry import MODELS
    from mmengine.config import Config
    from mmengine.logging import MMLogger
    from mmengine.registry import init_default_scope

    import detection.models  # noqa: F401 (registers)
    from backbones.backbone import IMAGENET
    from detection.build_config import task
    from workflow.planning.run_spec import RunSpec
    from workflow.training import hooks  # noqa: F401 (registers)
    from workflow.training.cpu_convs import channels_last

    MMLogger.get_instance("bench", log_level="ERROR")  # or it prints every weight's origin
    init_default_scope("mmdet")
    run = RunSpec(name, "baseline", {"pretrain": 0, "transfer": 0}, recipe, {}, threads=2, workers=0, gpus=0)
    made = task(
        run,
        info(root="", classes=list(map(str, range(CLASSES))), counts={"trainval07": 1, "trainval12": 1}),
        IMAGENET,
        registry.network("resnet50"),
        Path("unused"),
    )
    ours, theirs = (MODELS.build(Config(model)) for model in (made["model"], stock(made["model"])))
    theirs.init_weights()
    weights = theirs.state_dict().items()
    ours.load_state_dict({re.sub(r"^backbone\.", "backbone.network.", key): value for key, value in weights})
    sides = (recipe["size"],) * 2 if "size" in recipe else (recipe["min_size"], recipe["max_size"])
    data, sgd = batch(recipe["batch_size"], *sides), made["optim_wrapper"]["optimizer"]
    own = {"type": "PrecisionOptimWrapper", "precision": recipe["precision"]}
    plain = {key: value for key, value in sgd.items() if key != "fused"}
    theirs_step = step(theirs.to(device), plain, {"type": "OptimWrapper"}, data)
    if device != "cpu":
        data = data | {"inputs": [image.pin_memory() for image in data["inputs"]]}
    return step(channels_last(ours).to(device), sgd, own, data), theirs_step


def measure(name: str, recipe: dict) -> Measured:
    """The first losses must agree to what bf16 allows."""
    import torch

    torch.set_num_threads(2)
    ours, theirs = pair(name, recipe)
    losses = ours().item(), theirs().item()
    assert abs(losses[0] / losses[1] - 1) < 0.05, f"not the same network: {losses}"
    return in_turn(ours, theirs, recipe["batch_size"])


ROWS = [
    Row(
        name="ssd_step",
        what="SSD300 training step, 4 images",
        reference="mmdet's own modules, fp32, NCHW",
        unit="images/s",
        target=1.8,
        measure=partial(measure, "ssd_voc", SSD),
    ),
    Row(
        name="faster_rcnn_step",
        what="Faster R-CNN C4 training step, 400 × 600, 64 RoIs",
        reference="mmdet's own modules, fp32, NCHW",
        unit="images/s",
        target=1.3,
        measure=partial(measure, "faster_rcnn_voc", FASTER),
    ),
]
