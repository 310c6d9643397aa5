"""From a run to the mmengine config that trains it: the architecture of configs/, filled with the recipe of the YAML,
the data of the check and the preprocessing of the backbone."""

from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config, ConfigDict

import workflow.training.loaders  # noqa: F401 (mmdet's index of configs is YAML)
from backbones.backbone import STRIDE, Preprocessing
from backbones.construct import encoder
from detection import ssd_anchors, stages
from workflow.contracts import Network
from workflow.core.code_hash import config
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec

CONFIGS = {
    "ssd_voc": "ssd300_voc.py",
    "faster_rcnn_voc": "faster_rcnn_c4_voc.py",
    "faster_rcnn_coco": "faster_rcnn_c4_coco.py",
    "faster_rcnn_fpn_voc": "faster_rcnn_fpn_voc.py",
    "faster_rcnn_fpn_coco": "faster_rcnn_fpn_coco.py",
    "retinanet_voc": "retinanet_voc.py",
}
BOX_LOSSES = {  # of the two stages; the limits of smooth L1 are those of the Faster R-CNN code (sigma 3 and 1)
    "l1": ({"type": "L1Loss"}, {"type": "L1Loss"}),
    "smooth_l1": ({"type": "SmoothL1Loss", "beta": 1 / 9}, {"type": "SmoothL1Loss", "beta": 1.0}),
}
PARTS = ["model", "train_dataloader", "val_dataloader", "val_evaluator", "optim_wrapper", "default_scope"]


def task(
    run: RunSpec,
    check: DatasetInfo,
    prepare: Preprocessing,
    network: Network,
    keep: Path,
    stride: str = STRIDE,
    held_out: bool = False,
) -> dict[str, Any]:
    """The mmengine config of this run, as plain dicts; `keep` is the folder where each evaluation leaves its
    detections and its evidence.

    `stride` is the backbone's. `load_backbone` places it too, but a resumed run is not loaded again. `held_out`: train
    without the held-out images, and test on these.
    """
    cfg = config(Path(__file__).parent / "configs" / CONFIGS[run.type])
    backbone(cfg, run.recipe, network, stride)
    detector = {"ssd_voc": ssd, "faster_rcnn_voc": faster_rcnn_c4, "faster_rcnn_coco": faster_rcnn_c4}
    detector.get(run.type, pyramid)(cfg, run, len(check.classes), network)
    preprocess(cfg, prepare)
    loaders(cfg, run, check, held_out)
    cfg.val_evaluator.keep = str(keep)
    cfg.optim_wrapper.optimizer.update({key: run.recipe[key] for key in ("lr", "momentum", "weight_decay")})
    return {part: cfg.to_dict()[part] for part in PARTS}


def backbone(cfg: Config, recipe: dict[str, Any], network: Network, stride: str) -> None:
    """The network, what of it is frozen, and the convolution that has the stride; C4's last stage is in the RoI head.

    `freeze_bn: true` keeps the statistics and the affine weights of pretraining, as mmdet's C4 config and the reference
    code do; `false` updates both.
    """
    same = {"network": network.name, "freeze_bn": recipe["freeze_bn"], "stride": stride}
    cfg.model.backbone.update(**same, frozen_stages=recipe["frozen_stages"])
    if "roi_head" in cfg.model and "shared_head" in cfg.model.roi_head:
        cfg.model.roi_head.shared_head.update(same)


def ssd(cfg: Config, run: RunSpec, classes: int, network: Network) -> None:
    """SSD300 at the recipe's input size: the levels that stand there, priors in proportion."""
    size, places = run.recipe["size"], stages.out_indices(network, stages.SSD)
    cells = ssd_anchors.cells(size, sides(network, size, places))
    own = [network.stages[place].channels for place in places]
    channels = [*own, *cfg.model.neck.out_channels][: len(cells)]
    cfg.model.backbone.out_indices = places
    cfg.model.neck.update(in_channels=own, out_channels=channels, **ssd_anchors.neck(cells))
    head = cfg.model.bbox_head
    head.update(num_classes=classes, in_channels=channels)
    head.anchor_generator.update(input_size=size, **ssd_anchors.priors(size, cells))
    cfg.model.test_cfg.score_thr = run.recipe["score_threshold"]
    difficult(cfg, run.recipe["difficult"], [cfg.model.train_cfg.assigner])
    for step in cfg.train_pipeline:
        if step.type == "Expand":
            step.ratio_range = (1, run.recipe["expand_ratio"])
    resize(cfg, (size, size))


def sides(network: Network, size: int, places: list[int]) -> list[int]:
    """Sides of the maps of a square image of `size` pixels: networks round differently where a stride leaves a rest."""
    with torch.device("meta"), torch.no_grad():
        module = encoder(network).eval()
        indices = [network.stages[place].index for place in places]
        maps = module.forward_intermediates(torch.empty(1, 3, size, size), indices=indices, intermediates_only=True)
    return [each.shape[-1] for each in maps]


def faster_rcnn_c4(cfg: Config, run: RunSpec, classes: int, network: Network) -> None:
    """Faster R-CNN C4 with the recipe's anchors, RoIs and losses; the last stage halves the RoI's side."""
    recipe, head, train, test = run.recipe, cfg.model.roi_head, cfg.model.train_cfg, cfg.model.test_cfg
    inner, last = (stage.channels for stage in network.stages[-2:])
    cfg.model.backbone.update(out_indices=[len(network.stages) - 2], last_stage=False)
    cfg.model.rpn_head.in_channels = head.bbox_roi_extractor.out_channels = inner
    head.bbox_head.in_channels = last
    head.bbox_roi_extractor.roi_layer.output_size = recipe["roi_output_size"]
    head.bbox_head.roi_feat_size = (recipe["roi_output_size"] + 1) // 2
    train.rpn_proposal.max_per_img = recipe["rpn_post_nms_top_n"]["train"]
    test.rpn.max_per_img = recipe["rpn_post_nms_top_n"]["test"]
    train.rcnn.sampler.num = recipe["rois_per_image"]
    cfg.model.rpn_head.anchor_generator.scales = recipe["anchor_scales"]
    for stage, loss in zip((cfg.model.rpn_head, head.bbox_head), BOX_LOSSES[recipe["box_loss"]], strict=True):
        stage.loss_bbox = {**loss, "loss_weight": 1.0}
    if not recipe["bias_decay"]:
        cfg.optim_wrapper.paramwise_cfg = {"bias_decay_mult": 0.0}
    free_shape(cfg, run, classes)


def pyramid(cfg: Config, run: RunSpec, classes: int, network: Network) -> None:
    """RetinaNet, and Faster R-CNN with a feature pyramid, as mmdetection has them."""
    places = stages.out_indices(network, stages.PYRAMID if "roi_head" in cfg.model else stages.RETINANET)
    cfg.model.backbone.out_indices = places
    cfg.model.neck.in_channels = [network.stages[place].channels for place in places]
    free_shape(cfg, run, classes)


def free_shape(cfg: Config, run: RunSpec, classes: int) -> None:
    """What the detectors for photos of any shape share: classes, image sides, thresholds, difficult objects."""
    recipe, train = run.recipe, cfg.model.train_cfg
    two_stages = "roi_head" in cfg.model
    head, test = (cfg.model.roi_head, cfg.model.test_cfg.rcnn) if two_stages else (cfg.model, cfg.model.test_cfg)
    head.bbox_head.num_classes = classes
    test.score_thr, test.nms.iou_threshold = recipe["score_threshold"], recipe["nms_threshold"]
    if "difficult" in recipe:
        difficult(
            cfg, recipe["difficult"], [train.rpn.assigner, train.rcnn.assigner] if two_stages else [train.assigner]
        )
    resize(cfg, (recipe["max_size"], recipe["min_size"]))


def difficult(cfg: Config, role: str, assigners: list[dict[str, Any]]) -> None:
    """What VOC's difficult objects are in training. They come marked as ignored, which in mmdet's configs means
    background: no assigner there spares what lies on them (`ignore_iof_thr` -1)."""
    if role == "positive":
        cfg.train_pipeline.insert(2, ConfigDict(type="CountDifficult"))  # once image and annotations are loaded
    if role == "ignored":
        for assigner in assigners:
            assigner.spare_ignored = True


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


def loaders(cfg: Config, run: RunSpec, check: DatasetInfo, held_out: bool = False) -> None:
    """Root, classes, pipelines, batch and seed."""
    train, val = cfg.train_dataloader, cfg.val_dataloader
    whole = train.dataset.dataset
    if "datasets" in whole:  # VOC's two parts, of which other sets in its layout have one
        whole.datasets = [part for part in whole.datasets if check.counts[part.split]]
    parts = whole.get("datasets", [whole])
    if held_out:
        hold_out(cfg, parts[0])
    for part in [*parts, val.dataset]:
        part.update(data_root=check.root, metainfo={"classes": tuple(check.classes)})
    for part in parts:
        part.pipeline = cfg.train_pipeline
    if cfg.val_evaluator.type == "COCOMetric":
        cfg.val_evaluator.root = check.root
    val.dataset.pipeline = cfg.test_pipeline
    train.update(batch_size=run.recipe["batch_size"], num_workers=run.workers, persistent_workers=run.workers > 0)
    val.update(batch_size=cfg.model.get("batch_size", 1), num_workers=run.workers, persistent_workers=run.workers > 0)
    train.dataset.seed = run.seed
    train.sampler.update(batch=run.recipe["batch_size"], seed=run.seed)


def hold_out(cfg: Config, part: ConfigDict) -> None:
    """Test on the held-out images of a training set (of VOC's two, the first, from which the test images are, too), and
    train without them."""
    cfg.val_dataloader.dataset = ConfigDict(part | {"held_out": True, "test_mode": True})
    part.held_out = False
    if cfg.val_evaluator.type == "COCOMetric":
        cfg.val_evaluator.held_out = True
