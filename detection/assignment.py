"""Which priors are trained on which objects: the rules of mmdet's MaxIoUAssigner and RandomSampler, for all images of
a batch at once. The result is theirs to the bit (tests); the host waits once for the device, not 30 times an image.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate

import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.models.task_modules.coders import DeltaXYWHBBoxCoder
from mmdet.models.task_modules.samplers import BaseSampler, RandomSampler
from mmdet.registry import TASK_UTILS
from mmengine.structures import InstanceData
from torch import Tensor

from workflow.training.device_copies import upload

BLOCK = 2**23  # overlaps that are computed at once: 32 MB
EPSILON = 1e-6  # the least area, as in mmdet


def pad(rows: Sequence[Tensor], device: torch.device) -> tuple[Tensor, Tensor]:
    """Tensors (n, …) of different n as one (N, max n, …) on the device, and which of its places are theirs (N, max n).
    There is at least one place."""
    lengths = torch.tensor([len(row) for row in rows])
    values = rows[0].new_zeros(len(rows), max(1, int(lengths.max())), *rows[0].shape[1:])
    for place, row in enumerate(rows):
        values[place, : len(row)] = row
    return upload(values, device), upload(torch.arange(values.shape[1]) < lengths[:, None], device)


@dataclass(frozen=True)
class Objects:
    """The objects of N images, padded to the same number G.

    `boxes` (N, G, 4) as x1 y1 x2 y2, `labels` (N, G), `real` (N, G): false where padded. `ignored`: boxes (N, I, 4) and
    which of them are real (N, I).
    """

    boxes: Tensor
    labels: Tensor
    real: Tensor
    ignored: tuple[Tensor, Tensor] | None = None

    @classmethod
    def of(
        cls, objects: Sequence[InstanceData], ignored: Sequence[InstanceData | None] | None, device: torch.device
    ) -> "Objects":
        """From mmdet's, which lie on the host."""
        boxes, real = pad([one.bboxes for one in objects], device)
        labels, _ = pad([one.labels for one in objects], device)
        spared = [objects[0].bboxes[:0] if one is None else one.bboxes for one in ignored or []]
        return cls(boxes, labels, real, pad(spared, device) if any(map(len, spared)) else None)


def overlaps(boxes: Tensor, priors: Tensor, over_union: bool = True) -> Tensor:
    """Intersection over union, or over the prior's area, of boxes (N, G, 4) and priors (N, P, 4): (N, G, P)."""
    one, other = boxes[:, :, None], priors[:, None]
    width, height = (
        (torch.min(one[..., far], other[..., far]) - torch.max(one[..., near], other[..., near])).clamp(min=0)
        for near, far in ((0, 2), (1, 3))
    )
    common = width * height
    area = (priors[..., 2] - priors[..., 0]) * (priors[..., 3] - priors[..., 1])
    if over_union:
        sizes = (boxes[..., 2] - boxes[..., 0]) * (boxes[..., 3] - boxes[..., 1])
        union = sizes[..., None] + area[:, None] - common
    else:
        union = area[:, None]
    return common / union.clamp(min=EPSILON)


@TASK_UTILS.register_module()
class BatchAssigner(MaxIoUAssigner):
    """mmdet's, for a batch; its own `ignore_iof_thr` stays off.

    Args:
        spare_ignored: a prior that would be background and has half or more of its area on an ignored object counts for
            nothing. mmdet's switch for it does nothing in an image without another object.
        kwargs: mmdet's.
    """

    def __init__(self, spare_ignored: bool = False, **kwargs: object) -> None:
        super().__init__(**kwargs)
        self.spare_ignored = spare_ignored

    def assign_batch(self, priors: Tensor, objects: Objects, valid: Tensor | None = None) -> Tensor:
        """The number of each prior's object, from 1; 0 for background, -1 for nothing.

        Args:
            priors: (N, P, 4), or (1, P, 4) for priors that all images share.
            objects: of N images.
            valid: (N, P): what is not gets -1. None: all are.

        Returns:
            (N, P), integers.
        """
        images = len(objects.boxes)
        priors = priors.expand(images, -1, -1)
        together = max(1, BLOCK // max(1, objects.boxes.shape[1] * priors.shape[1]))
        parts = []
        for first in range(0, images, together):
            rows = slice(first, first + together)
            block = priors[rows], objects.boxes[rows], objects.real[rows], None if valid is None else valid[rows]
            numbers = self.assign_block(*block)
            if self.spare_ignored and objects.ignored:
                boxes, real = objects.ignored
                shares = overlaps(boxes[rows], priors[rows], over_union=False).masked_fill_(~real[rows, :, None], -1)
                numbers.masked_fill_((numbers == 0) & (shares.amax(dim=1) >= 0.5), -1)
            parts.append(numbers)
        return torch.cat(parts)

    def assign_block(self, priors: Tensor, boxes: Tensor, real: Tensor, valid: Tensor | None) -> Tensor:
        """`assign_batch` of as many images as fit in memory, without ignored objects."""
        shares = overlaps(boxes, priors).masked_fill_(~real[..., None], -1)
        if valid is not None:
            shares.masked_fill_(~valid[:, None], -1)
        best, place = shares.max(dim=1)
        numbers = torch.where(best >= self.pos_iou_thr, place + 1, torch.where(best < self.neg_iou_thr, 0, -1))
        if self.match_low_quality:  # each object gets its best prior; of several objects with the same one, the last
            most, prior = shares.max(dim=2)
            order = torch.arange(1, boxes.shape[1] + 1, device=boxes.device)
            if self.gt_max_assign_all:
                hits = (shares == most[..., None]) & (most >= self.min_pos_iou)[..., None]
                last = torch.where(hits, order[:, None], 0).amax(dim=1)
            else:
                order = torch.where(most >= self.min_pos_iou, order, 0)
                last = torch.zeros_like(numbers).scatter_reduce(1, prior, order, "amax")
            numbers = torch.where(last > 0, last, numbers)
        return numbers if valid is None else numbers.masked_fill(~valid, -1)


@dataclass(frozen=True)
class Samples:
    """The priors of a batch that are trained on.

    `positives` and `negatives` are indices into (N × P), image by image, ascending; `counts` their numbers in each
    image.
    """

    positives: Tensor
    negatives: Tensor
    counts: tuple[list[int], list[int]]

    def by_image(self) -> tuple[Tensor, Tensor]:
        """All of them, of each image first the positive ones, and the rows of the positive ones among them."""
        kinds = zip(self.positives.split(self.counts[0]), self.negatives.split(self.counts[1]), strict=True)
        positive = [torch.arange(sum(pair)) < pair[0] for pair in zip(*self.counts, strict=True)]
        rows = torch.cat(positive).nonzero().squeeze(1)
        return torch.cat([kind for image in kinds for kind in image]), upload(rows, self.positives.device)


def sample(numbers: Tensor, sampler: BaseSampler) -> Samples:
    """What mmdet's sampler takes, with the same draws from torch's generator; all, if it takes no random ones.

    The host waits here once: it has to know how many there are.

    Args:
        numbers: (N, P), of `BatchAssigner.assign_batch`.
        sampler: mmdet's.
    """
    kinds = [numbers > 0, numbers == 0]
    totals = torch.stack(kinds).sum(dim=2).tolist()
    if isinstance(sampler, RandomSampler):
        pairs = [draw(sampler, *pair) for pair in zip(*totals, strict=True)]
    else:
        pairs = [(torch.arange(positive), torch.arange(negative)) for positive, negative in zip(*totals, strict=True)]
    ranks = list(zip(*pairs, strict=True))
    chosen = [choose(*parts) for parts in zip(kinds, totals, ranks, strict=True)]
    return Samples(*chosen, tuple([len(one) for one in kind] for kind in ranks))


def draw(sampler: RandomSampler, positive: int, negative: int) -> tuple[Tensor, Tensor]:
    """The ranks that are taken among the positive and the negative priors of an image."""
    picks = []
    room = int(sampler.num * sampler.pos_fraction)
    for available in (positive, negative):
        picks.append(torch.arange(available) if available <= room else torch.randperm(available)[:room].sort().values)
        room = sampler.num - len(picks[0])
    return picks[0], picks[1]


def choose(kind: Tensor, totals: list[int], ranks: Sequence[Tensor]) -> Tensor:
    """The indices of the priors with these ranks among those of a kind (N, P), of which images have so many."""
    places = torch.nonzero_static(kind.flatten(), size=sum(totals)).squeeze(1)
    if [len(rank) for rank in ranks] == totals:
        return places
    firsts = [0, *accumulate(totals)]
    return places[upload(torch.cat([first + rank for first, rank in zip(firsts, ranks, strict=False)]), places.device)]


@dataclass(frozen=True)
class Targets:
    """What R priors are trained to say: `labels` (R,), the `deltas` to the object (R, 4), and `weights` (R, 4) that are
    1 where there is one."""

    labels: Tensor
    deltas: Tensor
    weights: Tensor

    @classmethod
    def of(
        cls,
        size: int,
        rows: Tensor,
        priors: Tensor,
        objects: Objects,
        which: Tensor,
        coder: DeltaXYWHBBoxCoder,
        background: int,
    ) -> "Targets":
        """Of `size` priors, of which those in `rows` (n,) are positive: their boxes `priors` (n, 4), and the places of
        their objects `which` (n,) in (N × G)."""
        deltas = coder.encode(priors, objects.boxes.flatten(0, 1)[which])
        labels = objects.labels.new_full((size,), background)
        return cls(
            labels.index_copy(0, rows, objects.labels.flatten()[which]),
            deltas.new_zeros(size, 4).index_copy(0, rows, deltas),
            deltas.new_zeros(size, 4).index_fill(0, rows, 1),
        )


def objects_of(numbers: Tensor, positives: Tensor, objects: Objects) -> Tensor:
    """The places in (N × G) of the objects that positive priors, of (N × P), stand for."""
    image = torch.div(positives, numbers.shape[1], rounding_mode="floor")
    return image * objects.boxes.shape[1] + numbers.flatten()[positives] - 1
