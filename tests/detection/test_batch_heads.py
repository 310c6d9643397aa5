"""The heads that work on a batch against mmdet's own, which go image by image: losses, gradients and proposals are
equal, not close."""

from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import HorizontalBoxes, bbox2roi
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData

from backbones.backbone import IMAGENET
from detection.assignment import Objects
from detection.build_config import task
from tests.bench.detecting import stock
from workflow import registry
from workflow.core.dataset_info import DatasetInfo

from .conftest import make_run
from .random_objects import CLASSES, batch
from .test_assignment import Sparing, draw_priors

SIZE = 96
SHAPES = [(96, 96), (64, 96), (96, 80), (96, 96), (48, 48), (96, 96)]  # height and width of each image
PARTS = {"ssd_voc": "bbox_head", "retinanet_voc": "bbox_head", "faster_rcnn_voc": "rpn_head"}
PARTS["faster_rcnn_fpn_voc"] = "rpn_head"


@pytest.fixture(scope="module")
def config(checks):
    """config(task): of its network, with the smallest backbone."""

    def config_of(name: str) -> Config:
        init_default_scope("mmdet")
        check, network = DatasetInfo.read(checks[name]), registry.network("timm/test_resnet")
        return Config(task(make_run(name), check, IMAGENET, network, Path("unused"))["model"])

    return config_of


def both(part: Config, train: Config, test: Config) -> list[torch.nn.Module]:
    """Our module and mmdet's."""
    cfg = part.to_dict() | {"train_cfg": train.to_dict(), "test_cfg": test.to_dict()}
    cfg.pop("shared_head", None)
    ours, theirs = (MODELS.build(Config(each)) for each in (cfg, stock(cfg)))
    assert isinstance(ours, type(theirs))
    assert type(theirs).__module__.startswith("mmdet.")
    return [ours, theirs]


def head_of(model: Config, name: str) -> list[torch.nn.Module]:
    part = PARTS[name]
    if part == "rpn_head":
        return both(model[part], model.train_cfg.rpn, model.test_cfg.rpn)
    return both(model[part], model.train_cfg, model.test_cfg)


def outputs(head: torch.nn.Module, seed: int, size: int = SIZE) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Scores and deltas of each level, of which a corner is all the same, as a filled border gives."""
    torch.manual_seed(seed)
    counts, strides = head.prior_generator.num_base_priors, [side for side, _ in head.prior_generator.strides]
    scores, deltas = [], []
    for count, stride in zip(counts, strides, strict=True):
        side = -(-size // int(stride))
        for levels, width in ((scores, head.cls_out_channels), (deltas, 4)):
            level = torch.randn(len(SHAPES), count * width, side, side)
            level[:, :, side // 2 :] = level[:, :1, :1, :1]
            levels.append(level.requires_grad_())
    return scores, deltas


def metas(name: str) -> list[dict]:
    shapes = [(SIZE, SIZE)] * len(SHAPES) if name == "ssd_voc" else SHAPES
    return [{"img_shape": shape, "pad_shape": shape} for shape in shapes]


@pytest.mark.parametrize("spare", [False, True])
@pytest.mark.parametrize("name", PARTS)
def test_losses_and_gradients_are_mmdets(config, name, spare):
    """With difficult objects as background, and ignored."""
    model = config(name)
    pair = head_of(model, name)
    if spare:
        settings = (model.train_cfg.rpn if PARTS[name] == "rpn_head" else model.train_cfg).assigner.to_dict()
        pair[0].assigner.spare_ignored = True
        pair[1].assigner = Sparing(**{key: value for key, value in settings.items() if key != "type"})
    for seed in range(3):
        sides = []
        objects, ignored = batch(seed)
        if name.startswith("faster"):
            for one in objects:
                one.labels.zero_()
        for head in pair:
            scores, deltas = outputs(head, seed)
            torch.manual_seed(seed)
            losses = head.loss_by_feat(scores, deltas, objects, metas(name), ignored)
            parts = [part for key in sorted(losses) for part in losses[key]]
            sum(part.sum() for part in parts).backward()
            sides.append([part.detach() for part in parts] + [level.grad for level in scores + deltas])
        assert all(torch.equal(one, other) for one, other in zip(*sides, strict=True))
        assert sides[0][-len(deltas)].any(), "there are boxes to learn"


@pytest.mark.parametrize(
    ("name", "before"), [("faster_rcnn_voc", 12000), ("faster_rcnn_voc", 100), ("faster_rcnn_fpn_voc", 100)]
)
def test_proposals_are_mmdets(config, name, before):
    """Of images beyond whose borders many anchors lie, cut before and after suppression; and of so many boxes (over
    10,000) that mmcv splits them."""
    model = config(name)
    model.train_cfg.rpn_proposal.update(nms_pre=before, max_per_img=before // 4)
    size = 640 if before > 10_000 else SIZE
    sides = []
    for head in head_of(model, name):
        scores, deltas = outputs(head, 0, size)
        shapes = [{"img_shape": (size * high // SIZE, size * wide // SIZE)} for high, wide in SHAPES]
        sides.append(head.predict_by_feat(scores, deltas, batch_img_metas=shapes, cfg=model.train_cfg.rpn_proposal))
    assert before < 10_000 or sum(level.numel() for level in scores) > 10_000 * len(SHAPES)
    for one, other in zip(*sides, strict=True):
        assert 0 < len(one) == len(other) <= model.train_cfg.rpn_proposal.max_per_img
        for key in ("bboxes", "scores", "labels"):
            assert torch.equal(one[key], other[key])
        assert not one.bboxes.requires_grad


@pytest.mark.parametrize("name", ["faster_rcnn_voc", "faster_rcnn_fpn_voc"])
def test_regions_and_their_targets_are_mmdets(config, name):
    """Of images with different numbers of proposals, and of one without any."""
    model = config(name)
    ours, theirs = both(model.roi_head, model.train_cfg.rcnn, model.test_cfg.rcnn)
    for seed, counts in enumerate(([40, 40, 40, 40, 40, 40], [3, 30, 0, 17, 40, 1])):
        objects, ignored = batch(seed)
        proposals = [draw_priors(image, count) for image, count in enumerate(counts)]
        torch.manual_seed(seed)
        regions, targets = ours.regions(proposals, Objects.of(objects, ignored, torch.device("cpu")))
        after = torch.rand(1)
        torch.manual_seed(seed)
        sampled = []
        for boxes, one, ignore in zip(proposals, objects, ignored, strict=True):
            instances = InstanceData(priors=boxes)
            assigned = theirs.bbox_assigner.assign(instances, one, ignore)
            sampled.append(theirs.bbox_sampler.sample(assigned, instances, one))
        assert torch.equal(after, torch.rand(1))
        labels, weights, deltas, box_weights = theirs.bbox_head.get_targets(sampled, theirs.train_cfg)
        assert torch.equal(regions, bbox2roi([one.priors for one in sampled]))
        for one, other in ((targets.labels, labels), (targets.deltas, deltas), (targets.weights, box_weights)):
            assert torch.equal(one, other)
        assert weights.eq(1).all()
        assert 0 < (labels < CLASSES).sum() < len(labels)


@pytest.mark.parametrize("swap", [True, False])
def test_images_are_mmdets_and_objects_stay_on_the_host(swap):
    settings = {"mean": [100.0, 110, 120], "std": [1.0, 2, 3], "bgr_to_rgb": swap, "pad_size_divisor": 32}
    objects, _ = batch(0, images=2)
    sides = []
    for kind in ("BatchPreprocessor", "DetDataPreprocessor"):
        torch.manual_seed(0)
        images = [torch.randint(0, 256, (3, high, 50), dtype=torch.uint8) for high in (40, 60)]
        samples = [DetDataSample(metainfo={"img_shape": image.shape[1:]}) for image in images]
        for sample, one in zip(samples, objects, strict=True):
            sample.gt_instances = InstanceData(bboxes=HorizontalBoxes(one.bboxes), labels=one.labels)
        data = {"inputs": images, "data_samples": samples}
        sides.append(MODELS.get(kind)(**settings)(data, training=True))
        assert isinstance(samples[0].gt_instances.bboxes, HorizontalBoxes), "the loader's samples are as they were"
    ours, theirs = sides
    assert torch.equal(ours["inputs"], theirs["inputs"])
    for one, other in zip(ours["data_samples"], theirs["data_samples"], strict=True):
        assert one.metainfo == other.metainfo
        assert torch.equal(one.gt_instances.bboxes, other.gt_instances.bboxes)
