"""The few modules that mmdet lacks, or has with a fault, for these detectors.

Under bf16 autocast mmdet 3.5 computes anchors, boxes and RoIs in the features' eight bits of precision, which moves
a box at pixel 300 by up to one pixel; the Float* modules hand fp32 on. Nothing changes where features are fp32.
"""

from typing import Any

import torch
from mmdet.models.dense_heads import RetinaHead, SSDHead
from mmdet.models.detectors import SingleStageDetector
from mmdet.models.losses import smooth_l1_loss, weight_reduce_loss
from mmdet.models.necks import SSDNeck
from mmdet.models.roi_heads.bbox_heads import BBoxHead, Shared2FCBBoxHead
from mmdet.models.roi_heads.roi_extractors import SingleRoIExtractor
from mmdet.registry import MODELS
from mmengine.dist import get_world_size
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional

from detection import backbone  # noqa: F401 (registers)
from detection.assignment import Samples
from detection.batch_heads import BatchProposals, BatchTargets
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


@MODELS.register_module()
class FloatSSDHead(BatchTargets, SSDHead):
    """mmdet's SSD head with fp32 outputs, and with the attribute that its `predict` asks for."""

    loss_cls = None  # SSD's loss is hard-negative mining, not a module; AnchorHead's code looks for one

    def forward(self, x: tuple[Tensor, ...]) -> Outputs:
        """Scores and box deltas of every level."""
        scores, deltas = super().forward(x)
        return [level.float() for level in scores], [level.float() for level in deltas]

    def loss_by_feat(
        self,
        cls_scores: list[Tensor],
        bbox_preds: list[Tensor],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData | None] | None = None,
    ) -> dict[str, list[Tensor]]:
        """The losses of each image, from scores (N, A C, H, W) and deltas (N, 4 A, H, W) of each level."""
        sizes = [level.shape[-2:] for level in cls_scores]
        priors, flags = self.get_anchors(sizes, batch_img_metas, cls_scores[0].device)
        targets, samples = self.targets(priors[0], flags, batch_gt_instances, batch_gt_instances_ignore)
        scores, deltas = (
            torch.cat([level.permute(0, 2, 3, 1).reshape(len(flags), -1, width) for level in levels], dim=1)
            for levels, width in ((cls_scores, self.cls_out_channels), (bbox_preds, 4))
        )
        divisor = self.divisor(samples)
        each = functional.cross_entropy(scores.flatten(0, 1), targets.labels, reduction="none")
        weights = torch.zeros_like(each).index_fill(0, torch.cat([samples.positives, samples.negatives]), 1)
        smooth = smooth_l1_loss(
            deltas.flatten(0, 1), targets.deltas, targets.weights, beta=self.train_cfg.smoothl1_beta, reduction="none"
        )
        return {
            "loss_cls": [loss[None] / divisor for loss in self.mine(each * weights, samples)],
            "loss_bbox": [weight_reduce_loss(loss, avg_factor=divisor) for loss in smooth.view_as(deltas).unbind()],
        }

    def mine(self, losses: Tensor, samples: Samples) -> list[Tensor]:
        """The sum in each image over its positive priors and the hardest of the others, three for each.

        Args:
            losses: of all priors (N × P,); 0 for one that counts for nothing.
            samples: with all positives.
        """
        counts = samples.counts[0]
        others = torch.ones_like(losses, dtype=torch.bool).index_fill(0, samples.positives, False)
        rest = torch.nonzero_static(others, size=len(losses) - sum(counts)).squeeze(1)
        size = len(losses) // len(counts)
        sums = []
        parts = losses[samples.positives].split(counts), losses[rest].split([size - count for count in counts])
        for positive, other in zip(*parts, strict=True):
            hard = min(self.train_cfg.neg_pos_ratio * len(positive), len(other))
            sums.append(positive.sum() + other.topk(hard).values.sum())
        return sums


class FloatLevels(BatchTargets):
    """A head on the maps of several levels, one after another, with fp32 outputs."""

    def forward_single(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Scores and box deltas of one level."""
        score, delta = super().forward_single(x)
        return score.float(), delta.float()


@MODELS.register_module()
class FloatRPNHead(FloatLevels, BatchProposals):
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
