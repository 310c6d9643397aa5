"""The keys of a detector's recipe that are choices of a reference code: each does what config/README.md says of it."""

import copy

import numpy as np
import pytest
import torch
from mmengine.optim import build_optim_wrapper
from mmengine.structures import InstanceData
from torchvision.ops import box_iou

from detection.assignment import BatchAssigner, Objects
from workflow.training import hooks  # noqa: F401 (registers)

BOTH = ["ssd_voc", "faster_rcnn_voc"]


@pytest.fixture(scope="module")
def pictures(build):
    """The test images, as a loader hands them over, and the network that looks at them."""
    built = build("faster_rcnn_voc")
    return built.model.eval(), list(built.val)[:2]


def detections(model, batches) -> list[InstanceData]:
    with torch.no_grad():
        return [one.pred_instances for batch in batches for one in model.val_step(copy.deepcopy(batch))]


@pytest.mark.parametrize("threshold", [0.3, 0.9])
def test_nms_threshold(build, pictures, threshold):
    built = build("faster_rcnn_voc", nms_threshold=threshold, score_threshold=0.0)
    shares = []
    for found in detections(built.model.eval(), pictures[1]):
        assert len(found) > 1
        same = found.labels[:, None] == found.labels[None]
        overlap = box_iou(found.bboxes, found.bboxes)
        shares += overlap[same & ~torch.eye(len(found), dtype=torch.bool)].tolist()
    assert max(shares) <= threshold + 1e-3
    assert (max(shares) > 0.3 + 1e-3) == (threshold > 0.3)


@pytest.mark.parametrize("name", BOTH)
def test_score_threshold(build, name):
    def scores(threshold: float) -> torch.Tensor:
        built = build(name, score_threshold=threshold)
        return torch.cat([one.scores for one in detections(built.model.eval(), list(built.val)[:1])])

    whole = scores(0.0)
    middle = float(whole.median())
    assert len(whole[whole > middle]) > 0
    torch.testing.assert_close(scores(middle).sort().values, whole[whole > middle].sort().values)


def test_anchor_scales(build):
    for scales in ([8, 16, 32], [2]):
        generator = build("faster_rcnn_voc", anchor_scales=scales).model.rpn_head.prior_generator
        (boxes,) = generator.grid_priors([(1, 1)], device="cpu")
        sides = boxes[:, 2:] - boxes[:, :2]
        areas = sorted({round(float(area) ** 0.5) for area in sides.prod(dim=1)})
        assert areas == [16 * scale for scale in scales]
        assert sorted({round(float(ratio), 2) for ratio in sides[:, 1] / sides[:, 0]}) == [0.5, 1, 2]


def huber(x: np.ndarray, beta: float) -> np.ndarray:
    """Smooth L1: quadratic below `beta`."""
    return np.where(np.abs(x) < beta, x**2 / (2 * beta), np.abs(x) - beta / 2)


@pytest.mark.parametrize("name", ["faster_rcnn_voc", "faster_rcnn_coco"])
def test_box_loss(build, name):
    away = np.array([[-3, -0.5, 0.05, 0.2]])
    for kind, laws in (("l1", [np.abs, np.abs]), ("smooth_l1", [lambda x: huber(x, 1 / 9), lambda x: huber(x, 1.0)])):
        model = build(name, box_loss=kind).model
        for head, law in zip((model.rpn_head, model.roi_head.bbox_head), laws, strict=True):
            loss = head.loss_bbox(torch.tensor(away), torch.zeros(1, 4), avg_factor=1)
            assert float(loss) == pytest.approx(law(away).sum())


@pytest.mark.parametrize("decays", [True, False])
def test_bias_decay(build, decays):
    """A step without any gradient moves what decays, and nothing else."""
    built = build("faster_rcnn_voc", bias_decay=decays, weight_decay=0.5, lr=0.1, freeze_bn=False, frozen_stages=1)
    optim = build_optim_wrapper(
        built.model, {"type": "PrecisionOptimWrapper", "precision": "fp32"} | built.cfg.optim_wrapper
    )
    learnt = {name: each for name, each in built.model.named_parameters() if each.requires_grad}
    with torch.no_grad():
        for each in learnt.values():
            each.fill_(1.0)
            each.grad = torch.zeros_like(each)
    optim.optimizer.step()
    kept = {name for name, each in learnt.items() if bool((each == 1).all())}
    biases = {name for name in learnt if name.endswith("bias")}
    assert kept == (set() if decays else biases)
    assert all(float(each.mean()) == pytest.approx(0.95) for name, each in learnt.items() if name not in kept)
    assert {"rpn_head.rpn_conv.bias", "roi_head.bbox_head.fc_cls.bias"} <= biases


@pytest.mark.parametrize("name", BOTH)
def test_difficult_objects_are_what_the_recipe_says(build, name):
    """An object is given as an object, as a difficult one, or not at all."""
    losses = {}
    for role in ("positive", "ignored", "background"):
        built = build(name, difficult=role)
        flags = [flag for item in built.train.dataset.dataset for flag in item["data_samples"].ignored_instances.labels]
        assert bool(flags) == (role != "positive"), "the data hold difficult objects"
        batch = built.train.collate_fn([built.train.dataset[0, 0]])
        for given in ("object", "ignored", "nothing"):
            losses[role, given] = loss(built.model, batch, given)
    for role in ("positive", "background"):
        assert losses[role, "ignored"] == losses[role, "nothing"] != losses[role, "object"]
    assert losses["ignored", "ignored"] != losses["ignored", "nothing"], "what lies on it costs nothing"
    for given in ("object", "nothing"):
        assert losses["ignored", given] == losses["background", given]


def loss(model, batch, given: str) -> float:
    """Of a batch with an object, and another that is given in one of three ways."""
    samples = copy.deepcopy(batch)
    sample, boxes = samples["data_samples"][0], torch.tensor([[4.0, 4, 44, 44], [40, 40, 92, 92]])
    objects = InstanceData(bboxes=boxes, labels=torch.tensor([0, 1]))
    sample.gt_instances = objects if given == "object" else objects[:1]
    sample.ignored_instances = objects[1:] if given == "ignored" else objects[:0]
    torch.manual_seed(0)
    with torch.no_grad():
        data = model.train().data_preprocessor(samples, training=True)
        return float(model.parse_losses(model(**data, mode="loss"))[0])


@pytest.mark.parametrize("others", [0, 1])
def test_what_lies_on_an_ignored_object_is_neither_object_nor_background(others):
    """Half or more of a prior: also in an image without another object."""
    priors = torch.tensor([[0.0, 0, 10, 10], [5, 0, 15, 10], [6, 0, 16, 10], [2, 2, 4, 4], [30, 30, 50, 50]])
    objects = InstanceData(bboxes=priors[3:][:others], labels=torch.zeros(others, dtype=torch.long))
    ignored = InstanceData(bboxes=priors[:1])
    batch = Objects.of([objects], [ignored], priors.device)
    found = [
        BatchAssigner(spare, pos_iou_thr=0.5, neg_iou_thr=0.5).assign_batch(priors[None], batch)[0].tolist()
        for spare in (False, True)
    ]
    assert found == [[0, 0, 0, others, 0], [-1, -1, 0, others or -1, 0]]


@torch.no_grad()
@pytest.mark.parametrize("roi_size", [4, 5, 7])
def test_the_head_sees_the_mean_of_all_cells_of_a_region(build, roi_size):
    roi_head = build("faster_rcnn_voc", roi_output_size=roi_size).model.eval().roi_head
    cells = roi_head.shared_head(torch.randn(2, 1024, roi_size, roi_size))
    even = cells.mean(dim=(2, 3), keepdim=True).expand_as(cells)
    for found, expected in zip(roi_head.bbox_head(cells), roi_head.bbox_head(even), strict=True):
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)
