"""From a run to the mmengine config that trains it: the architecture of configs/, filled with the recipe of the YAML,
the data of the check and the preprocessing of the backbone."""

from pathlib import Path
from typing import Any

from mmengine.config import Config, ConfigDict

import workflow.training.loaders  # noqa: F401 (mmdet's index of configs is YAML)
from backbones.backbone import STRIDE, Preprocessing
from detection import ssd_anchors
from workflow.contracts import Network
from workflow.core.code_hash import config
from workflow.core.errors import UserError
from workflow.planning.run_spec import RunSpec

CONFIGS = {
    "ssd_voc": "ssd300_voc.py",
    "faster_rcnn_voc": "faster_rcnn_c4_voc.py",
    "faster_rcnn_coco": "faster_rcnn_c4_coco.py",
}
BOX_LOSSES = {  # of the two stages; the limits of smooth L1 are those of the Faster R-CNN code (sigma 3 and 1)
    "l1": ({"type": "L1Loss"}, {"type": "L1Loss"}),
    "smooth_l1": ({"type": "SmoothL1Loss", "beta": 1 / 9}, {"type": "SmoothL1Loss", "beta": 1.0}),
}
PARTS = ["model", "train_dataloader", "val_dataloader", "val_evaluator", "optim_wrapper", "default_scope"]


def task(
    run: RunSpec, check: dict[str, Any], prepare: Preprocessing, network: Network, keep: Path, stride: str = STRIDE
) -> dict[str, Any]:
    """The mmengine config of this run, as plain dicts; `keep` is the folder where each evaluation leaves its
    detections and its evidence.

    `stride` is the backbone's. `load_backbone` places it too, but a resumed run is not loaded again.
    """
    cfg = config(Path(__file__).parent / "configs" / CONFIGS[run.type])
    cfg.model.backbone.update(network.mmdet)
    freeze(cfg.model.backbone, run.recipe)
    (ssd if run.type == "ssd_voc" else faster_rcnn)(cfg, run, len(check["classes"]), network)
    preprocess(cfg, prepare)
    place_stride(cfg, stride)
    loaders(cfg, run, check)
    cfg.val_evaluator.keep = str(keep)
    cfg.optim_wrapper.optimizer.update({key: run.recipe[key] for key in ("lr", "momentum", "weight_decay")})
    return {part: cfg.to_dict()[part] for part in PARTS}


def freeze(backbone: dict[str, Any], recipe: dict[str, Any]) -> None:
    """Frozen stages (-1 none, 0 the stem, n the stem and layers 1 to n) and the mode of every BatchNorm.

    `freeze_bn: true` keeps the statistics and the affine weights of pretraining, as mmdet's C4 config and the reference
    code do; `false` updates both.
    """
    train = not recipe["freeze_bn"]
    backbone.update(frozen_stages=recipe["frozen_stages"], norm_eval=not train)
    backbone.update(norm_cfg={"type": "BN", "requires_grad": train})


def ssd(cfg: Config, run: RunSpec, classes: int, network: Network) -> None:
    """SSD300 at the recipe's input size: the levels that stand there, priors in proportion."""
    size, levels = run.recipe["size"], len(ssd_anchors.cells(run.recipe["size"]))
    own = [stage.channels for stage in network.stages[1:]]
    channels = [*own, *cfg.model.neck.out_channels][:levels]
    cfg.model.neck.update(in_channels=own, out_channels=channels, **ssd_anchors.neck(size))
    head = cfg.model.bbox_head
    head.update(num_classes=classes, in_channels=channels)
    head.anchor_generator.update(input_size=size, **ssd_anchors.priors(size))
    cfg.model.test_cfg.score_thr = run.recipe["score_threshold"]
    difficult(cfg, run.recipe["difficult"], [cfg.model.train_cfg.assigner])
    resize(cfg, (size, size))


def faster_rcnn(cfg: Config, run: RunSpec, classes: int, network: Network) -> None:
    """Faster R-CNN with the recipe's image sides, anchors, RoIs, loss and thresholds; layer4 halves the RoI's side."""
    recipe = run.recipe
    if recipe["frozen_stages"] > 3:
        raise UserError(f"{run.task}.frozen_stages: layer4 works on the RoIs and is trained; 3 is the most")
    head, train, test = cfg.model.roi_head, cfg.model.train_cfg, cfg.model.test_cfg
    norm = {key: cfg.model.backbone[key] for key in ("norm_cfg", "norm_eval")}
    head.shared_head.update(norm, **network.mmdet)
    inner, last = (stage.channels for stage in network.stages[-2:])
    cfg.model.rpn_head.in_channels = head.bbox_roi_extractor.out_channels = inner
    head.bbox_head.in_channels = last
    head.bbox_roi_extractor.roi_layer.output_size = recipe["roi_output_size"]
    head.bbox_head.update(num_classes=classes, roi_feat_size=(recipe["roi_output_size"] + 1) // 2)
    train.rpn_proposal.max_per_img = recipe["rpn_post_nms_top_n"]["train"]
    test.rpn.max_per_img = recipe["rpn_post_nms_top_n"]["test"]
    train.rcnn.sampler.num = recipe["rois_per_image"]
    test.rcnn.score_thr, test.rcnn.nms.iou_threshold = recipe["score_threshold"], recipe["nms_threshold"]
    cfg.model.rpn_head.anchor_generator.scales = recipe["anchor_scales"]
    for stage, loss in zip((cfg.model.rpn_head, head.bbox_head), BOX_LOSSES[recipe["box_loss"]], strict=True):
        stage.loss_bbox = {**loss, "loss_weight": 1.0}
    if not recipe["bias_decay"]:
        cfg.optim_wrapper.paramwise_cfg = {"bias_decay_mult": 0.0}
    if run.type == "faster_rcnn_voc":
        difficult(cfg, recipe["difficult"], [train.rpn.assigner, train.rcnn.assigner])
    resize(cfg, (recipe["max_size"], recipe["min_size"]))


def difficult(cfg: Config, role: str, assigners: list[dict[str, Any]]) -> None:
    """What VOC's difficult objects are in training. They come marked as ignored, which in mmdet's configs means
    background: no assigner there spares what lies on them (`ignore_iof_thr` -1)."""
    if role == "positive":
        cfg.train_pipeline.insert(2, ConfigDict(type="CountDifficult"))  # once image and annotations are loaded
    if role == "ignored":
        for assigner in assigners:
            assigner.type = "SparingAssigner"


def resize(cfg: Config, scale: tuple[int, int]) -> None:
    """Into both pipelines."""
    for step in [*cfg.train_pipeline, *cfg.test_pipeline]:
        if step.type == "Resize":
            step.scale = scale


def preprocess(cfg: Config, prepare: Preprocessing) -> None:
    """The backbone's channel order, mean and std; images are loaded as BGR. Expand fills with the same mean."""
    rgb = prepare.channel_order == "RGB"
    cfg.model.data_preprocessor.update(mean=prepare.mean, std=prepare.std, bgr_to_rgb=rgb)
    for step in cfg.train_pipeline:
        if step.type == "Expand":
            step.update(mean=prepare.mean, to_rgb=rgb)


def place_stride(cfg: Config, stride: str) -> None:
    """Where the backbone has it, layer4 in the RoI head included; mmdet calls the 1×1 convolution's place `caffe`."""
    for part in [cfg.model.backbone, *([cfg.model.roi_head.shared_head] if "roi_head" in cfg.model else [])]:
        part.style = "caffe" if stride == "1x1" else "pytorch"


def loaders(cfg: Config, run: RunSpec, check: dict[str, Any]) -> None:
    """Root, classes, pipelines, batch and seed."""
    train, val = cfg.train_dataloader, cfg.val_dataloader
    whole = train.dataset.dataset
    if "datasets" in whole:  # VOC's two parts, of which other sets in its layout have one
        whole.datasets = [part for part in whole.datasets if check["counts"][part.split]]
    parts = whole.get("datasets", [whole])
    for part in [*parts, val.dataset]:
        part.update(data_root=check["root"], metainfo={"classes": tuple(check["classes"])})
    for part in parts:
        part.pipeline = cfg.train_pipeline
    if run.type == "faster_rcnn_coco":
        cfg.val_evaluator.root = check["root"]
    val.dataset.pipeline = cfg.test_pipeline
    train.update(batch_size=run.recipe["batch_size"], num_workers=run.workers, persistent_workers=run.workers > 0)
    together = 8 if run.type == "ssd_voc" else 1  # its test images have one size; others would be padded, and so differ
    val.update(batch_size=together, num_workers=run.workers, persistent_workers=run.workers > 0)
    train.dataset.seed = run.seed
    train.sampler.update(batch=run.recipe["batch_size"], seed=run.seed)
