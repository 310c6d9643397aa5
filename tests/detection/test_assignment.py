"""Assignment and sampling of a batch against mmdet's own, image by image: equal, not close."""

import pytest
import torch
from mmdet.models.task_modules.assigners import MaxIoUAssigner
from mmdet.models.task_modules.samplers import PseudoSampler, RandomSampler
from mmengine.structures import InstanceData

from detection import assignment
from detection.assignment import BatchAssigner, Objects, sample
from workflow.core.rng import rng

from .random_objects import GRID, batch

CPU = torch.device("cpu")
ASSIGNERS = {  # of the configs
    "SSD": {"pos_iou_thr": 0.5, "neg_iou_thr": 0.5, "min_pos_iou": 0.0, "gt_max_assign_all": False},
    "RetinaNet": {"pos_iou_thr": 0.5, "neg_iou_thr": 0.4, "min_pos_iou": 0},
    "RPN": {"pos_iou_thr": 0.7, "neg_iou_thr": 0.3, "min_pos_iou": 0.3, "match_low_quality": True},
    "RoIs": {"pos_iou_thr": 0.5, "neg_iou_thr": 0.5, "min_pos_iou": 0.5, "match_low_quality": False},
}


def draw_priors(seed: int, *count: int, size: int = 96) -> torch.Tensor:
    """(…, 4); half of them on the objects' grid, so that some are an object's box, or overlap two equally."""
    draw = rng("priors", seed)
    corners, sides = draw.random((*count, 2)) * size - 10, 4 + draw.random((*count, 2)) * size / 2
    boxes = torch.cat([torch.from_numpy(corners), torch.from_numpy(corners + sides)], dim=-1).float()
    boxes[..., ::2, :] = (boxes[..., ::2, :] / GRID).round() * GRID
    return boxes


def mmdets(settings: dict, priors: torch.Tensor, objects: InstanceData, valid: torch.Tensor) -> torch.Tensor:
    """mmdet's numbers of one image; -1 for priors that are not valid, which it does not see."""
    numbers = torch.full((len(priors),), -1)
    numbers[valid] = MaxIoUAssigner(**settings).assign(InstanceData(priors=priors[valid]), objects).gt_inds
    return numbers


@pytest.mark.parametrize("block", [1, 4000, 2**23])
@pytest.mark.parametrize("name", ASSIGNERS)
def test_assignments_are_mmdets(name, block, monkeypatch):
    """With and without priors that do not count, of priors that images share and of each image's."""
    monkeypatch.setattr(assignment, "BLOCK", block)
    ties = 0
    for seed in range(8):
        objects, ignored = batch(seed)
        shared = draw_priors(seed, 1, 300) if seed % 2 else draw_priors(seed, len(objects), 300)
        valid = torch.from_numpy(rng("valid", seed).random((len(objects), 300)) < 0.8)
        valid = torch.ones_like(valid) if seed < 4 else valid
        found = BatchAssigner(**ASSIGNERS[name]).assign_batch(
            shared, Objects.of(objects, ignored, CPU), None if seed < 4 else valid
        )
        rows = zip(shared.expand(len(objects), -1, -1), objects, valid, strict=True)
        expected = torch.stack([mmdets(ASSIGNERS[name], *row) for row in rows])
        assert torch.equal(found, expected)
        assert (found[2:] > 0).any()
        ties += sum(len(one.bboxes.unique(dim=0)) < len(one) for one in objects)
    assert ties > 8, "objects of the same box"


class Sparing(MaxIoUAssigner):
    """mmdet's, but a background prior that has half or more of its area on an ignored object counts for nothing."""

    def assign(self, pred_instances, gt_instances, gt_instances_ignore=None):
        found = super().assign(pred_instances, gt_instances)
        if len(gt_instances_ignore):
            shares = self.iou_calculator(pred_instances.priors, gt_instances_ignore.bboxes, mode="iof").amax(dim=1)
            found.gt_inds[(found.gt_inds == 0) & (shares >= 0.5)] = -1
        return found


@pytest.mark.parametrize("name", ASSIGNERS)
def test_what_lies_on_an_ignored_object_is_spared(name):
    """Also where there is no object."""
    spared = 0
    for seed in range(4):
        objects, ignored = batch(seed)
        priors = draw_priors(seed, 300)
        found = BatchAssigner(True, **ASSIGNERS[name]).assign_batch(priors[None], Objects.of(objects, ignored, CPU))
        for row, one, place in zip(found, objects, ignored, strict=True):
            expected = Sparing(**ASSIGNERS[name]).assign(InstanceData(priors=priors), one, place).gt_inds
            assert torch.equal(row, expected)
        spared += int((found[1] == -1).sum())
    assert spared > 20, "in images without an object"


@pytest.mark.parametrize("taken", [8, 64, 2000])
def test_samples_are_mmdets_with_its_draws(taken):
    """Also where there are fewer than are asked for; the generator ends where mmdet's does."""
    sampler, assigner = RandomSampler(taken, 0.25, add_gt_as_proposals=False), ASSIGNERS["SSD"]
    for seed in range(4):
        objects, _ = batch(seed)
        priors = draw_priors(seed, 300)
        numbers = BatchAssigner(**assigner).assign_batch(priors[None], Objects.of(objects, None, CPU))
        torch.manual_seed(seed)
        found = sample(numbers, sampler)
        after = torch.rand(1)
        torch.manual_seed(seed)
        expected = []
        for one in objects:
            instances = InstanceData(priors=priors)
            expected.append(sampler.sample(MaxIoUAssigner(**assigner).assign(instances, one), instances, one))
        assert torch.equal(after, torch.rand(1))
        for kind, flat, counts in zip(
            ("pos_inds", "neg_inds"), (found.positives, found.negatives), found.counts, strict=True
        ):
            for image, (part, one) in enumerate(zip(flat.split(counts), expected, strict=True)):
                assert torch.equal(part - 300 * image, getattr(one, kind))


def test_without_a_random_sampler_all_that_count_are_taken():
    numbers = torch.tensor([[1, 0, -1, 2], [-1, 0, 0, -1]])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    found = sample(numbers, PseudoSampler())
    assert (found.positives.tolist(), found.negatives.tolist(), found.counts) == ([0, 3], [1, 5, 6], ([2, 0], [1, 2]))
    assert torch.equal(before, torch.get_rng_state())
    places, rows = found.by_image()
    assert (places.tolist(), rows.tolist()) == ([0, 3, 1, 5, 6], [0, 1])
