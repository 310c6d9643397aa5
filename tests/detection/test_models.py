"""The networks: mining, precision, and the published backbone inside them."""

import copy
from pathlib import Path

import pytest
import torch
from mmdet.registry import MODELS
from mmengine.config import Config
from torch.nn import functional
from torchvision.io import ImageReadMode, decode_image
from torchvision.models import resnet50
from torchvision.ops import roi_align

from backbones.backbone import IMAGENET, Preprocessing, load_backbone, save_backbone
from detection.assignment import Samples
from detection.build_config import task
from detection.train import parts
from workflow.core.dataset_info import DatasetInfo
from workflow.training.cpu_convs import channels_last

from .conftest import RESNET50, make_run

BGR = Preprocessing("BGR", (100.0, 110.0, 120.0), (1.0, 2.0, 3.0))


def square_image(loader):
    """A batch of one square image, which a resize to its own size leaves alone, and its pixels as RGB."""
    for index, item in enumerate(loader.dataset):
        if item["data_samples"].ori_shape == (96, 96):
            path = loader.dataset.get_data_info(index)["img_path"]
            return loader.collate_fn([item]), decode_image(path, mode=ImageReadMode.RGB)[None]
    raise AssertionError("the test data hold no square image")


def stages(network: torch.nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """Outputs of layers 1 to 4 of torchvision's ResNet."""
    x = network.maxpool(network.relu(network.bn1(network.conv1(images))))
    found = []
    for layer in (network.layer1, network.layer2, network.layer3, network.layer4):
        x = layer(x)
        found.append(x)
    return found


def same(one: torch.Tensor, other: torch.Tensor) -> None:
    torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)


@torch.no_grad()
def test_ssd_sees_the_published_network(build, published):
    built = build("ssd_voc")
    batch, pixels = square_image(built.val)
    images = built.model.eval().data_preprocessor(batch)["inputs"]
    same(images, IMAGENET(pixels))
    for ours, theirs in zip(built.model.backbone(images), stages(published.network, images)[1:], strict=True):
        same(ours, theirs)


@torch.no_grad()
def test_faster_rcnn_sees_the_published_network_layer4_included(build, published):
    built = build("faster_rcnn_voc")
    batch, pixels = square_image(built.val)
    images = built.model.eval().data_preprocessor(batch)["inputs"]
    same(images, IMAGENET(pixels))
    (ours,), theirs = built.model.backbone(images), stages(published.network, images)
    same(ours, theirs[2])
    same(built.model.roi_head.shared_head(ours), theirs[3])


@pytest.mark.parametrize("name", ["ssd_voc", "faster_rcnn_voc"])
def test_channel_order_mean_and_std_are_the_backbones(build, name):
    built = build(name, prepare=BGR)
    batch, pixels = square_image(built.val)
    seen = built.model.data_preprocessor(batch)["inputs"]
    same(seen, BGR(pixels))
    assert not torch.allclose(seen, IMAGENET(pixels), atol=1)


@torch.no_grad()
@pytest.mark.parametrize("name", ["ssd_voc", "faster_rcnn_voc"])
def test_the_stride_is_the_backbones(build, published, voc, tmp_path, name):
    """After loading, and in a network that is built for the backbone, as one that is resumed and not loaded."""
    save_backbone(tmp_path / "b.safetensors", published.network.state_dict(), IMAGENET, "resnet50", "1x1")
    check, run = DatasetInfo.read(voc.check), make_run(name)
    cfg = Config(task(run, check, IMAGENET, RESNET50, Path("unused"), "1x1"))
    caffe, loaded, built = resnet50(), build(name).model.eval(), MODELS.build(cfg.model).eval()
    caffe.load_state_dict(published.network.state_dict())
    for layer in (caffe.layer2, caffe.layer3, caffe.layer4):
        layer[0].conv1.stride, layer[0].conv2.stride = (2, 2), (1, 1)
    load_backbone(tmp_path / "b.safetensors", *parts(loaded))
    built.load_state_dict(loaded.state_dict())
    images = torch.rand(1, 3, 96, 96)
    expected = stages(caffe.eval(), images)
    for model in (loaded, built):
        found = list(model.backbone(images))
        if name == "faster_rcnn_voc":
            found.append(model.roi_head.shared_head(found[0]))
        for ours, theirs in zip(found, expected[-len(found) :], strict=True):
            same(ours, theirs)
    assert not torch.allclose(expected[-1], stages(published.network, images)[-1], atol=1e-3)


@torch.no_grad()
def test_ssd_finds_the_same_in_several_images_at_once(build):
    built = build("ssd_voc")
    model, (batch, *_) = built.model.eval(), list(built.val)
    together = model.val_step(copy.deepcopy(batch))
    assert len(together) == len(batch["inputs"]) == 6, "the whole test set"
    for place, (image, sample) in enumerate(zip(batch["inputs"], batch["data_samples"], strict=True)):
        (alone,) = model.val_step({"inputs": [image], "data_samples": [sample]})
        for key in ("bboxes", "scores", "labels"):
            one, other = alone.pred_instances[key], together[place].pred_instances[key]
            torch.testing.assert_close(other, one, atol=1e-3, rtol=1e-4)


def test_hard_negative_mining_takes_three_hardest_per_positive(build):
    head = build("ssd_voc").model.bbox_head
    scores = torch.randn(100, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    labels = torch.full((100,), 4)
    labels[:6] = torch.tensor([0, 1, 2, 3, 0, 1])
    each = functional.cross_entropy(scores, labels, reduction="none")
    (loss,) = head.mine(each, Samples(torch.arange(6), torch.arange(6, 100), ([6], [94])))
    loss.backward()
    used = scores.grad.abs().sum(dim=1) > 0
    assert used[:6].all()
    assert used[6:].sum() == 18
    assert each[6:][used[6:]].min() >= each[6:][~used[6:]].max()


@pytest.mark.parametrize("name", ["ssd_voc", "faster_rcnn_voc", "retinanet_voc"])
def test_all_convolutions_see_channels_last(build, name):
    """But for the first, which sees the images."""
    built = build(name)
    model, layouts = channels_last(built.model.train()), []
    for module in model.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, maps: layouts.append(maps[0].is_contiguous(memory_format=torch.channels_last))
            )
    with torch.no_grad():
        model(**model.data_preprocessor(next(iter(built.train)), training=True), mode="loss")
    assert len(layouts) > 50
    assert all(layouts[1:])


def test_l2norm_starts_at_its_scale_without_init_weights():
    neck = {"in_channels": (8, 16), "out_channels": (8, 16, 8), "level_strides": (2,), "level_paddings": (1,)}
    levels = MODELS.get("SSDNeckWithL2Init")(**neck)
    norm = levels.l2_norm(torch.randn(1, 8, 4, 4)).norm(dim=1)
    torch.testing.assert_close(norm, torch.full_like(norm, 20))


def test_boxes_leave_the_networks_in_fp32_under_bf16(build):
    regions = {"faster_rcnn_voc": (2048, 4, 4), "faster_rcnn_fpn_voc": (256, 7, 7)}
    for name in ("ssd_voc", "retinanet_voc", *regions):
        model = build(name).model.eval()
        with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
            features = model.extract_feat(torch.randn(1, 3, 96, 96))
            assert features[-1].dtype == torch.bfloat16
            scores, deltas = (model.rpn_head if name in regions else model.bbox_head)(features)
            boxes = model.roi_head.bbox_head(torch.randn(3, *regions[name])) if name in regions else []
        assert {out.dtype for out in [*scores, *deltas, *boxes]} == {torch.float32}


def test_rois_keep_their_place_under_bf16(build):
    extractor = build("faster_rcnn_voc").model.roi_head.bbox_roi_extractor
    features = torch.randn(1, 1024, 20, 20).bfloat16()
    rois = torch.tensor([[0.0, 257.3, 130.6, 301.4, 188.9]])  # bf16 would make it 258, 131, 302, 189
    expected = roi_align(features.float(), rois, (7, 7), 1 / 16, 0, True)
    assert torch.equal(extractor((features,), rois), expected)
