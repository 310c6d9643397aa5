"""mmdetection's detectors are torchvision's: equal weights and inputs give equal features, losses and boxes.

Where the two differ by design, the test says in what: it is the way out, should mmdetection's line stop.
"""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmdet.registry import MODELS, TASK_UTILS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.structures import InstanceData
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models.detection import roi_heads, rpn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.retinanet import RetinaNet, RetinaNetHead
from torchvision.ops import FeaturePyramidNetwork, MultiScaleRoIAlign, roi_align
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool, LastLevelP6P7

import detection
import detection.models

SIDE, CLASSES, WIDTH = 128, 4, 8
CONFIGS = Path(detection.__file__).parent / "configs"
BOXES = torch.tensor([[10.0, 12, 50, 60], [70, 66, 120, 118], [60, 8, 80, 40]])
LABELS = torch.tensor([0, 3, 1])


def model(name: str) -> Config:
    """A detector's config, in small."""
    init_default_scope("mmdet")
    return Config.fromfile(CONFIGS / name).model


def built(config: Config, **changes) -> nn.Module:
    torch.manual_seed(0)
    module = MODELS.build(config | changes)
    for each in module.parameters():
        nn.init.normal_(each, 0, 0.3 if each.ndim < 2 else each[0].numel() ** -0.5)
    return module.eval()


def copy_weights(theirs: nn.Module, ours: nn.Module) -> nn.Module:
    """Give torchvision's module the weights of mmdet's, which defines them in the same order."""
    theirs.load_state_dict(dict(zip(theirs.state_dict(), ours.state_dict().values(), strict=True)))
    return theirs.eval()


def levels(strides: list[int], channels: int = WIDTH) -> list[Tensor]:
    """Maps of an image."""
    torch.manual_seed(1)
    return [torch.randn(1, channels, SIDE // stride, SIDE // stride) for stride in strides]


def same(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("name", "strides"), [("retinanet_voc.py", [8, 16, 32]), ("faster_rcnn_fpn.py", [4, 8, 16, 32])]
)
@torch.no_grad()
def test_the_pyramid(name, strides):
    neck, widths = model(name).neck, [2 * stride for stride in strides]
    ours = built(neck, in_channels=widths, out_channels=WIDTH)
    extra = LastLevelP6P7(widths[-1], WIDTH) if name.startswith("retinanet") else LastLevelMaxPool()
    theirs = copy_weights(FeaturePyramidNetwork(widths, WIDTH, extra), ours)
    maps = [
        torch.randn(1, width, SIDE // stride + 1, SIDE // stride) for width, stride in zip(widths, strides, strict=True)
    ]
    found, expected = ours(maps), list(theirs(dict(enumerate(maps))).values())
    assert len(found) == len(expected) == 5
    for one, other in zip(found[:4], expected, strict=False):
        same(one, other)
    if name.startswith("retinanet"):
        same(theirs.extra_blocks.p7(found[3]), found[4])  # torchvision has a ReLU before it, as the authors have
    else:
        same(found[4], expected[4])


@pytest.fixture
def retinanet() -> SimpleNamespace:
    """Both heads on the same maps: what they give, as `cls_logits` and `bbox_regression` of torchvision's."""
    config = model("retinanet_voc.py")
    strides = config.bbox_head.anchor_generator.strides
    changes = {"num_classes": CLASSES, "in_channels": WIDTH, "feat_channels": WIDTH, "test_cfg": config.test_cfg}
    ours = built(config.bbox_head, **changes, train_cfg=config.train_cfg)
    theirs = copy_weights_of_head(RetinaNetHead(WIDTH, 9, CLASSES), ours)
    maps = levels(strides)
    anchors = ours.prior_generator.grid_priors([each.shape[-2:] for each in maps], device="cpu")
    return SimpleNamespace(ours=ours, theirs=theirs, maps=maps, anchors=anchors, outputs=theirs(maps))


def copy_weights_of_head(theirs: RetinaNetHead, ours: nn.Module) -> RetinaNetHead:
    """mmdet alternates between the two towers."""
    for branch, tower, last in (
        (theirs.classification_head, ours.cls_convs, ours.retina_cls),
        (theirs.regression_head, ours.reg_convs, ours.retina_reg),
    ):
        copy_weights(branch, nn.ModuleList([tower, last]))
    return theirs


@torch.no_grad()
def test_retinanet_s_head(retinanet):
    scores, deltas = retinanet.ours(retinanet.maps)
    for found, width, key in ((scores, CLASSES, "cls_logits"), (deltas, 4, "bbox_regression")):
        flat = [level.permute(0, 2, 3, 1).reshape(1, -1, width) for level in found]
        same(torch.cat(flat, dim=1), retinanet.outputs[key])


def anchors_of(generator: AnchorGenerator, maps: list[Tensor]) -> Tensor:
    (found,) = generator(ImageList(torch.zeros(1, 3, SIDE, SIDE), [(SIDE, SIDE)]), maps)
    return found


def test_anchors_are_torchvision_s_but_for_its_whole_pixels(retinanet):
    """RetinaNet's are of whole sizes too."""
    sizes = tuple((x, int(x * 2 ** (1 / 3)), int(x * 2 ** (2 / 3))) for x in (32, 64, 128, 256, 512))
    theirs = anchors_of(AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5), retinanet.maps)
    assert (torch.cat(retinanet.anchors) - theirs).abs().max() < 1
    generator = TASK_UTILS.build(model("faster_rcnn_fpn.py").rpn_head.anchor_generator)
    maps = levels([4, 8, 16, 32, 64])
    ours = generator.grid_priors([each.shape[-2:] for each in maps], device="cpu")
    sizes = ((32,), (64,), (128,), (256,), (512,))
    theirs = anchors_of(AnchorGenerator(sizes, ((0.5, 1.0, 2.0),) * 5), maps)
    assert (torch.cat(ours) - theirs).abs().max() <= 0.5


def test_retinanet_s_loss(retinanet):
    """Of one image: of several, torchvision takes the mean over images, and mmdet over their objects."""
    truth, meta = InstanceData(bboxes=BOXES, labels=LABELS), {"img_shape": (SIDE, SIDE), "pad_shape": (SIDE, SIDE)}
    found = retinanet.ours.loss_by_feat(*retinanet.ours(retinanet.maps), [truth], [meta])
    network = RetinaNet(SimpleBackbone(), CLASSES, head=retinanet.theirs)
    targets, anchors = [{"boxes": BOXES, "labels": LABELS}], [torch.cat(retinanet.anchors)]
    expected = network.compute_loss(targets, retinanet.outputs, anchors)
    same(sum(found["loss_cls"]), expected["classification"])
    same(sum(found["loss_bbox"]), expected["bbox_regression"])
    assert expected["bbox_regression"] > 0


class SimpleBackbone(nn.Module):
    """What torchvision asks of one."""

    out_channels = WIDTH


@torch.no_grad()
def test_retinanet_s_detections(retinanet):
    ours = retinanet.ours
    network = RetinaNet(SimpleBackbone(), CLASSES, head=retinanet.theirs, topk_candidates=1000, detections_per_img=100)
    counts = [len(level) for level in retinanet.anchors]
    split = {key: list(value.split(counts, dim=1)) for key, value in retinanet.outputs.items()}
    (expected,) = network.postprocess_detections(split, [list(retinanet.anchors)], [(SIDE, SIDE)])
    (found,) = ours.predict_by_feat(*ours(retinanet.maps), batch_img_metas=[{"img_shape": (SIDE, SIDE)}], rescale=False)
    equal(found, expected, 0)
    assert len(found) == 100


def equal(found: InstanceData, expected: dict[str, Tensor], first: int) -> None:
    """The same detections; torchvision's first class has the number `first`."""
    same(found.scores, expected["scores"])
    same(found.bboxes, expected["boxes"])
    assert torch.equal(found.labels, expected["labels"] - first)


@torch.no_grad()
def test_proposals():
    config, strides = model("faster_rcnn_fpn.py"), [4, 8, 16, 32, 64]
    proposal = config.test_cfg.rpn | {"nms_pre": 60, "max_per_img": 50}
    ours = built(config.rpn_head, in_channels=WIDTH, feat_channels=WIDTH, test_cfg=proposal)
    theirs = copy_weights(rpn.RPNHead(WIDTH, 3), ours)
    maps = levels(strides)
    anchors = ours.prior_generator.grid_priors([each.shape[-2:] for each in maps], device="cpu")
    (found,) = ours.predict_by_feat(*ours(maps), batch_img_metas=[{"img_shape": (SIDE, SIDE)}])
    number = {"training": 0, "testing": 60}
    network = rpn.RegionProposalNetwork(
        AnchorGenerator(), theirs, 0.7, 0.3, 256, 0.5, number, {"training": 0, "testing": 50}, 0.7
    ).eval()
    scores, deltas = rpn.concat_box_prediction_layers(*theirs(maps))
    boxes = network.box_coder.decode(deltas, [torch.cat(anchors)]).view(1, -1, 4)
    boxes, scores = network.filter_proposals(boxes, scores, [(SIDE, SIDE)], [len(level) for level in anchors])
    same(found.bboxes, boxes[0])
    same(found.scores, scores[0])
    assert len(found) == 50


@torch.no_grad()
def test_regions_come_from_torchvision_s_levels():
    """torchvision's own pooler is without `aligned`: half a cell away."""
    ours = built(model("faster_rcnn_fpn.py").roi_head.bbox_roi_extractor, out_channels=WIDTH)
    corners = torch.rand(40, 2) * 400
    boxes = torch.cat(
        [corners, corners + 2 ** (3 + 6 * torch.linspace(0, 1, 40))[:, None] * torch.tensor([1, 1.2])], dim=1
    )
    maps = [torch.randn(1, WIDTH, 1024 // stride, 1024 // stride) for stride in (4, 8, 16, 32)]
    found = ours(maps, torch.cat([torch.zeros(40, 1), boxes], dim=1))
    pooler = MultiScaleRoIAlign(["0", "1", "2", "3"], 7, 2)
    pooler(dict(zip("0123", maps, strict=True)), [boxes], [(1024, 1024)])
    places = pooler.map_levels([boxes])
    assert set(places.tolist()) == {0, 1, 2, 3}
    for roi, box, place in zip(found, boxes, places, strict=True):
        expected = roi_align(maps[place], [box[None]], (7, 7), 1 / (4 * 2**place), 0, aligned=True)
        same(roi, expected[0])


@pytest.fixture
def second_stage() -> SimpleNamespace:
    """Both box heads. torchvision's background is the first class, mmdet's the last."""
    config = model("faster_rcnn_fpn.py")
    loss = {"type": "SmoothL1Loss", "beta": 1 / 9, "loss_weight": 1.0}  # torchvision's, which is not the recipe's
    ours = built(config.roi_head.bbox_head, in_channels=WIDTH, fc_out_channels=16, num_classes=CLASSES, loss_bbox=loss)
    shared = copy_weights(TwoMLPHead(WIDTH * 49, 16), ours.shared_fcs)
    predictor = FastRCNNPredictor(16, CLASSES + 1)
    order = [CLASSES, *range(CLASSES)]
    predictor.cls_score.load_state_dict({key: value[order] for key, value in ours.fc_cls.state_dict().items()})
    for key, value in ours.fc_reg.state_dict().items():
        predictor.bbox_pred.get_parameter(key).data[4:] = value
    regions = torch.randn(60, WIDTH, 7, 7)
    scores, deltas = predictor(shared(regions))
    return SimpleNamespace(ours=ours, regions=regions, scores=scores, deltas=deltas, test_cfg=config.test_cfg.rcnn)


def proposals() -> Tensor:
    corners = torch.rand(60, 2, generator=torch.Generator().manual_seed(2)) * 80
    return torch.cat([corners, corners + 20 + corners.flip(0) / 4], dim=1)


@torch.no_grad()
def test_detections_of_the_second_stage(second_stage):
    head = roi_heads.RoIHeads(None, None, None, 0.5, 0.5, 1, 1, None, 0.05, 0.5, 100)
    boxes, scores, labels = head.postprocess_detections(
        second_stage.scores, second_stage.deltas, [proposals()], [(SIDE, SIDE)]
    )
    rois = torch.cat([torch.zeros(60, 1), proposals()], dim=1)
    outputs = second_stage.ours(second_stage.regions)
    (found,) = second_stage.ours.predict_by_feat(
        (rois,), *((each,) for each in outputs), [{"img_shape": (SIDE, SIDE)}], rcnn_test_cfg=second_stage.test_cfg
    )
    equal(found, {"boxes": boxes[0], "scores": scores[0], "labels": labels[0]}, 1)
    assert len(found) > 20


def test_losses_of_the_second_stage(second_stage):
    labels = torch.arange(60) % (CLASSES + 1)  # 0 is torchvision's background
    targets = torch.randn(60, 4)
    scores, deltas = second_stage.ours(second_stage.regions)
    positive = labels > 0
    found = second_stage.ours.loss(
        scores,
        deltas,
        None,
        (labels - 1) % (CLASSES + 1),
        torch.ones(60),
        targets,
        positive[:, None].expand(60, 4).float(),
    )
    expected = roi_heads.fastrcnn_loss(second_stage.scores, second_stage.deltas, [labels], [targets])
    same(found["loss_cls"], expected[0])
    same(found["loss_bbox"], expected[1])


def test_the_focal_loss():
    scores, labels = torch.randn(50, CLASSES), torch.arange(50) % (CLASSES + 1)
    loss = MODELS.build(model("retinanet_voc.py").bbox_head.loss_cls)
    p = torch.where(functional.one_hot(labels, CLASSES + 1)[:, :CLASSES] == 1, scores.sigmoid(), 1 - scores.sigmoid())
    weight = torch.where(functional.one_hot(labels, CLASSES + 1)[:, :CLASSES] == 1, 0.25, 0.75)
    same(loss(scores, labels, avg_factor=7), (-weight * (1 - p) ** 2 * p.log()).sum() / 7)  # equation 5 of the paper
