"""The few modules that mmdet lacks, or has with a fault, for these detectors.

Under bf16 autocast mmdet 3.5 computes anchors, boxes and RoIs in the features' eight bits of precision, which moves
a box at pixel 300 by up to one pixel; the Float* modules hand fp32 on. Nothing changes where features are fp32.
"""

from typing import Any

from mmdet.models.dense_heads import AnchorHead, RetinaHead, RPNHead, SSDHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.necks import SSDNeck
from mmdet.models.roi_heads.bbox_heads import BBoxHead, Shared2FCBBoxHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.models.task_modules.assigners import AssignResult, MaxIoUAssigner
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.dist import get_world_size
from mmengine.structures import InstanceData
from torch import Tensor, nn

from detection import backbone  # noqa: F401 (registers)
from workflow.training.batches import fill_batch
from workflow.training.distributed.processes import reduce_mean

Outputs = tuple[list[Tensor], list[Tensor]]


@MODELS.register_module()
class FixedBatchDetector(SingleStageDetector):
    """mmdet's, which predicts in batches of exactly `batch_size` images of one size: a photo has the same detections,
    bit for bit, in an evaluation and by itself."""

    def __init__(self, *args: Any, batch_size: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.batch_size = batch_size

    def predict(self, batch_inputs: Tensor, batch_data_samples: list[Any], rescale: bool = True) -> list[Any]:
        """mmdet's, of images (N, 3, H, W)."""
        images = fill_batch(batch_inputs, self.batch_size)
        missing = len(images) - len(batch_inputs)
        samples = [*batch_data_samples, *(batch_data_samples[-1].clone() for _ in range(missing))]
        return super().predict(images, samples, rescale)[: len(batch_inputs)]


@MODELS.register_module()
class SSDNeckWithL2Init(SSDNeck):
    """SSD's extra levels, and its L2 normalisation on the first one, there after layer2.

    SSD scales conv4_3 to norm 20, a ResNet's layer2 has no need of it to train; kept because it gives the head the
    same scale whatever the backbone, and so one recipe fits every row. mmdet leaves its weights as they lay in memory
    until `init_weights` is called: here they are 20 from the start.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        nn.init.constant_(self.l2_norm.weight, self.l2_norm.scale)


@TASK_UTILS.register_module()
class SparingAssigner(MaxIoUAssigner):
    """mmdet's, but a prior that would be background and has half or more of its area on an ignored object counts for
    nothing. mmdet's own switch for it (`ignore_iof_thr`) does nothing in an image without another object."""

    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: InstanceData | None = None,
        **kwargs: Any,
    ) -> AssignResult:
        """The number of each prior's object, 0 for background, -1 for nothing."""
        found = super().assign(pred_instances, gt_instances, gt_instances_ignore, **kwargs)
        if gt_instances_ignore is not None and len(gt_instances_ignore) and len(pred_instances.priors):
            shares = self.iou_calculator(pred_instances.priors, gt_instances_ignore.bboxes, mode="iof").amax(dim=1)
            found.gt_inds[(found.gt_inds == 0) & (shares >= 0.5)] = -1
        return found


class SyncAvgFactor(AnchorHead):
    """A head whose loss is a mean over the priors that count, here those of the batch of all processes."""

    def get_targets(self, *args: Any, **kwargs: Any) -> tuple:
        """mmdet's, the fifth of which is their number."""
        *targets, number = super().get_targets(*args, **kwargs)[:5]
        return *targets, reduce_mean(number)


@MODELS.register_module()
class FloatSSDHead(SyncAvgFactor, SSDHead):
    """mmdet's SSD head with fp32 outputs, and with the attribute that its `predict` asks for."""

    loss_cls = None  # SSD's loss is hard-negative mining, not a module; AnchorHead's code looks for one

    def forward(self, x: tuple[Tensor, ...]) -> Outputs:
        """Scores and box deltas of every level."""
        scores, deltas = super().forward(x)
        return [level.float() for level in scores], [level.float() for level in deltas]


class FloatLevels(SyncAvgFactor):
    """A head on the maps of several levels, one after another, with fp32 outputs."""

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and box deltas of one level."""
        score, delta = super().forward_single(x)
        return score.float(), delta.float()


@MODELS.register_module()
class FloatRPNHead(FloatLevels, RPNHead):
    """mmdet's RPN head with fp32 outputs."""


@MODELS.register_module()
class FloatRetinaHead(FloatLevels, RetinaHead):
    """mmdet's RetinaNet head with fp32 outputs."""


@MODELS.register_module()
class FloatRoIExtractor(SingleRoIExtractor):
    """mmdet's RoI extractor in fp32: it casts the RoIs to the features' type."""

    def forward(self, feats: tuple[Tensor, ...], rois: Tensor, roi_scale_factor: float | None = None) -> Tensor:
        """Features (n, C, S, S) of RoIs (n, 5)."""
        return super().forward(tuple(level.float() for level in feats), rois, roi_scale_factor)


class FloatBoxes(BBoxHead):
    """A box head with fp32 outputs."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Class scores and box deltas of each RoI."""
        scores, deltas = super().forward(x)
        return scores.float(), deltas.float()

    def loss(self, cls_score: Tensor, *args: Any, **kwargs: Any) -> dict[str, Tensor]:
        """mmdet's, which are means over the regions, here over those of the batch of all processes."""
        losses = super().loss(cls_score, *args, **kwargs)
        if get_world_size() > 1:
            share = len(cls_score) / reduce_mean(len(cls_score))
            losses |= {name: share * losses[name] for name in ("loss_cls", "loss_bbox")}
        return losses


@MODELS.register_module()
class FloatBBoxHead(FloatBoxes):
    """mmdet's box head with fp32 outputs: one layer on the mean of a region's cells."""


@MODELS.register_module()
class FloatShared2FCBBoxHead(FloatBoxes, Shared2FCBBoxHead):
    """mmdet's box head of feature pyramids with fp32 outputs: two layers on all cells of a region."""
