"""mmdet's heads with the targets and the proposals of all images of a batch at once. mmdet goes image by image, and the
host waits some 30 times for the device in each; the losses are the same to the bit (tests)."""

from typing import Any

import torch
from mmdet.models.data_preprocessors import DetDataPreprocessor
from mmdet.models.dense_heads import AnchorHead, RPNHead
from mmdet.models.roi_heads import StandardRoIHead
from mmdet.models.task_modules.samplers import RandomSampler
from mmdet.models.utils import unpack_gt_instances
from mmdet.registry import MODELS
from mmengine.structures import BaseDataElement, InstanceData
from torch import Tensor
from torchvision.ops import nms

from detection.assignment import Objects, Samples, Targets, objects_of, pad, sample
from workflow.training.device_copies import upload
from workflow.training.distributed.processes import reduce_mean

SPLIT = (
    10_000  # boxes, from which on mmcv suppresses them in parts and then sorts again: of equal scores in another order
)


@MODELS.register_module()
class BatchPreprocessor(DetDataPreprocessor):
    """mmdet's, which brings the images to the device without a wait. The objects stay on the host, where their numbers
    are known; each head takes those of a batch along together."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs, non_blocking=True)
        self.swaps, self._channel_conversion = self._channel_conversion, False  # by an index of the host: a wait

    def cast_data(self, data: Any) -> Any:
        """mmengine's step to the device, of nested containers."""
        if isinstance(data, BaseDataElement):
            return data.to("cpu")
        data = super().cast_data(data)
        return data.flip(-3) if self.swaps and isinstance(data, Tensor) else data


class BatchTargets(AnchorHead):
    """A head that takes the targets of all images at once. Its loss is a mean over the priors that count, here those of
    the batch of all processes."""

    def priors(self, sizes: list[tuple[int, int]], device: torch.device) -> list[Tensor]:
        """The priors (P, 4) of each level, of maps of these sizes; what they are made of stays on the device."""
        generator = self.prior_generator
        generator.base_anchors = [upload(level, device) for level in generator.base_anchors]
        return generator.grid_priors(sizes, device=device)

    def get_anchors(
        self, featmap_sizes: list[tuple[int, int]], batch_img_metas: list[dict], device: torch.device
    ) -> tuple[list[list[Tensor]], list[list[Tensor]]]:
        """mmdet's: of each image and level, the priors, and which of them are on the image (on the host)."""
        priors, valid = self.priors(featmap_sizes, device), self.prior_generator.valid_flags
        flags = [valid(featmap_sizes, meta["pad_shape"], "cpu") for meta in batch_img_metas]
        return [priors] * len(flags), flags

    def targets(
        self,
        priors: list[Tensor],
        flags: list[list[Tensor]],
        objects: list[InstanceData],
        ignored: list[InstanceData | None] | None,
    ) -> tuple[Targets, Samples]:
        """Of all N × P priors, and which of them are trained on.

        Args:
            priors: of each level.
            flags: of each image and level: which priors are on the image, on the host.
            objects: of each image, on the host.
            ignored: likewise.
        """
        boxes, valid = torch.cat(priors), torch.stack([torch.cat(levels) for levels in flags])
        truth = Objects.of(objects, ignored, boxes.device)
        counting = None if valid.all() else upload(valid, boxes.device)
        numbers = self.assigner.assign_batch(boxes[None], truth, counting)
        samples = sample(numbers, self.sampler)
        rows, which = samples.positives, objects_of(numbers, samples.positives, truth)
        of_rows = boxes[rows % len(boxes)]
        return Targets.of(numbers.numel(), rows, of_rows, truth, which, self.bbox_coder, self.num_classes), samples

    def divisor(self, samples: Samples) -> float:
        """The number of priors that the loss is a mean over, an image for one at least."""
        kinds = samples.counts if isinstance(self.sampler, RandomSampler) else samples.counts[:1]
        return reduce_mean(sum(max(count, 1) for kind in kinds for count in kind))

    def get_targets(
        self,
        anchor_list: list[list[Tensor]],
        valid_flag_list: list[list[Tensor]],
        batch_gt_instances: list[InstanceData],
        batch_img_metas: list[dict],
        batch_gt_instances_ignore: list[InstanceData | None] | None = None,
    ) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor], float]:
        """mmdet's: labels, their weights, deltas, their weights, each by levels (N, P, …), and the divisor."""
        targets, samples = self.targets(anchor_list[0], valid_flag_list, batch_gt_instances, batch_gt_instances_ignore)
        counting = torch.cat([samples.positives, samples.negatives])
        weights = targets.deltas.new_zeros(len(targets.labels)).index_fill(0, counting, 1)
        parts = (targets.labels, weights, targets.deltas, targets.weights)
        sizes = [len(level) for level in anchor_list[0]]
        images = len(batch_img_metas)
        levels = [list(part.unflatten(0, (images, -1)).split(sizes, dim=1)) for part in parts]
        return *levels, self.divisor(samples)


class BatchProposals(RPNHead):
    """mmdet's RPN head, which decodes and filters the proposals of all images at once."""

    @torch.no_grad()
    def predict_by_feat(
        self, cls_scores: list[Tensor], bbox_preds: list[Tensor], batch_img_metas: list[dict], cfg: Any = None, **_: Any
    ) -> list[InstanceData]:
        """Of each image the proposals in pixels of the input, best first, from scores (N, A, H, W) and deltas
        (N, 4 A, H, W) of each level."""
        cfg = cfg or self.test_cfg
        device, images = cls_scores[0].device, len(batch_img_metas)
        levels = zip(cls_scores, bbox_preds, self.priors([map.shape[-2:] for map in cls_scores], device), strict=True)
        parts = [self.best(score, delta, priors, cfg.nms_pre) for score, delta, priors in levels]
        scores, deltas, priors = (torch.cat(kind, dim=1) for kind in zip(*parts, strict=True))
        places = torch.cat([torch.full((part[0].shape[1],), level, device=device) for level, part in enumerate(parts)])
        boxes = self.bbox_coder.decode(priors.flatten(0, 1), deltas.flatten(0, 1)).view(images, -1, 4)
        sides = upload(torch.tensor([meta["img_shape"][1::-1] * 2 for meta in batch_img_metas]), device)
        boxes = boxes.clamp(min=0).minimum(sides[:, None])
        right = ((boxes[..., 2:] - boxes[..., :2]) > cfg.min_bbox_size).all(dim=2)
        counts, order = right.sum(dim=1).tolist(), right.int().argsort(dim=1, descending=True, stable=True)
        return [
            self.keep(boxes[image][rows], scores[image][rows], places[rows], cfg)
            for image, rows in enumerate(order[image][:count] for image, count in enumerate(counts))
        ]

    def best(self, scores: Tensor, deltas: Tensor, priors: Tensor, most: int) -> tuple[Tensor, Tensor, Tensor]:
        """Scores (N, n), deltas (N, n, 4) and priors (N, n, 4) of a level's best: as many as `most`, or all as they
        come."""
        images = len(scores)
        scores = scores.permute(0, 2, 3, 1).reshape(images, -1)
        scores = torch.stack([one.sigmoid() for one in scores])  # of a batch, a CPU rounds some of them otherwise
        deltas = deltas.permute(0, 2, 3, 1).reshape(images, -1, 4)
        priors = priors.expand(images, -1, -1)
        if not 0 < most < scores.shape[1]:
            return scores, deltas, priors
        scores, order = scores.sort(dim=1, descending=True)
        rows = order[:, :most, None].expand(-1, -1, 4)
        return scores[:, :most], deltas.gather(1, rows), priors.gather(1, rows)

    def keep(self, boxes: Tensor, scores: Tensor, levels: Tensor, cfg: Any) -> InstanceData:
        """Non-maximum suppression within each level of an image, by mmcv's shift of levels out of each other's way."""
        shifted = boxes
        if len(boxes) and len(self.prior_generator.strides) > 1:
            shifted = boxes + (levels * (boxes.max() + 1))[:, None]
        rows = nms(shifted, scores, cfg.nms.iou_threshold)
        if len(boxes) >= SPLIT:
            rows = rows.sort().values
            rows = rows[scores[rows].sort(descending=True).indices]
        rows = rows[: cfg.max_per_img]
        return InstanceData(bboxes=boxes[rows], scores=scores[rows], labels=torch.zeros_like(rows))


@MODELS.register_module()
class BatchRoIHead(StandardRoIHead):
    """mmdet's, which assigns and samples the proposals of all images at once."""

    def loss(self, x: tuple[Tensor, ...], rpn_results_list: list[InstanceData], batch_data_samples: list[Any]) -> dict:
        """The losses, from the maps, the proposals of each image, and the objects (on the host)."""
        objects, ignored, _ = unpack_gt_instances(batch_data_samples)
        rois, targets = self.regions(
            [one.bboxes for one in rpn_results_list], Objects.of(objects, ignored, x[0].device)
        )
        found = self._bbox_forward(x, rois)
        weights = rois.new_ones(len(rois))
        return self.bbox_head.loss(
            found["cls_score"], found["bbox_pred"], rois, targets.labels, weights, targets.deltas, targets.weights
        )

    def regions(self, proposals: list[Tensor], objects: Objects) -> tuple[Tensor, Targets]:
        """The regions that are trained on (R, 5): image, x1 y1 x2 y2; of each image first the positive ones."""
        boxes, real = pad(proposals, objects.boxes.device)
        numbers = self.bbox_assigner.assign_batch(boxes, objects, real)
        if self.bbox_sampler.add_gt_as_proposals:
            order = torch.arange(1, objects.real.shape[1] + 1, device=boxes.device)
            numbers = torch.cat([torch.where(objects.real, order, -1), numbers], dim=1)
            boxes = torch.cat([objects.boxes, boxes], dim=1)
        samples = sample(numbers, self.bbox_sampler)
        places, rows = samples.by_image()
        image = torch.div(places, boxes.shape[1], rounding_mode="floor")
        regions, which = boxes.flatten(0, 1)[places], objects_of(numbers, samples.positives, objects)
        head = self.bbox_head
        targets = Targets.of(len(places), rows, regions[rows], objects, which, head.bbox_coder, head.num_classes)
        return torch.cat([image[:, None].to(regions.dtype), regions], dim=1), targets
