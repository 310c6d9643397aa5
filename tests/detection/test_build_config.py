"""Every switch of the recipes changes the network or what goes through it; every config opens."""

import copy
import dataclasses
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import pytest
import torch
from mmdet.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.registry import DATA_SAMPLERS, init_default_scope
from PIL import Image, ImageOps
from PIL.ExifTags import Base
from timm.layers import convert_sync_batchnorm
from torch.nn import SyncBatchNorm
from torch.nn.modules.batchnorm import _BatchNorm

import detection
from backbones.backbone import IMAGENET, Preprocessing
from detection.build_config import CONFIGS, task
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json, write_json
from workflow.training.distributed.processes import share_statistics

from .conftest import RESNET50, make_run

TASKS, C4 = list(CONFIGS), ["faster_rcnn_voc", "faster_rcnn_coco"]
KINDS = ["ssd_voc", "faster_rcnn_voc", "retinanet_voc"]  # of the ways in which a detector takes its backbone
FOLDER = Path(detection.__file__).parent / "configs"
CONVERSIONS = {
    "one": lambda model: model,
    "several on the CPU": share_statistics,
    "several on GPUs": convert_sync_batchnorm,
}


def losses(built) -> dict[str, torch.Tensor]:
    """Of one training batch."""
    built.model.train()
    torch.manual_seed(0)
    data = built.model.data_preprocessor(next(iter(built.train)), training=True)
    return built.model(**data, mode="loss")


def total(built) -> torch.Tensor:
    return built.model.parse_losses(losses(built))[0]


def through(module: torch.nn.Module) -> list[torch.Size]:
    """Shapes of what will be put into `module`."""
    seen: list[torch.Size] = []
    module.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].shape))
    return seen


@pytest.mark.parametrize("name", sorted(path.name for path in FOLDER.glob("*.py")))
def test_configs_open_and_name_what_nothing_downloads(name):
    text = str(Config.fromfile(FOLDER / name).to_dict())
    assert "open-mmlab" not in text
    assert "http" not in text


@pytest.mark.parametrize("name", TASKS)
def test_losses_are_finite_and_reach_the_backbone(build, name):
    built = build(name)
    loss = total(built)
    assert torch.isfinite(loss)
    loss.backward()
    network = built.model.backbone.network
    weight = (network.layer3 if name in C4 else network.layer4)[0].conv1.weight
    assert weight.grad.abs().sum() > 0


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("convert", CONVERSIONS)
def test_bn(build, name, frozen, convert):
    """Of one process, and of several, each of which has its own kind."""
    built = build(name, freeze_bn=frozen, frozen_stages=-1)
    built.model = CONVERSIONS[convert](built.model)
    norms = [module for module in built.model.modules() if isinstance(module, _BatchNorm)]
    before = [norm.running_mean.clone() for norm in norms]
    built.model.train()
    assert len(norms) == 53
    assert {norm.training for norm in norms} == {not frozen}
    assert {norm.weight.requires_grad for norm in norms} == {not frozen}
    if convert == "several on GPUs":
        assert {type(norm) for norm in norms} == {SyncBatchNorm}, "which refuses a CPU"
    else:
        losses(built)
        moved = [not torch.equal(norm.running_mean, old) for norm, old in zip(norms, before, strict=True)]
        assert set(moved) == {not frozen}


@pytest.mark.parametrize("name", KINDS)
def test_frozen_stages(build, name):
    for frozen in (-1, 0, 2):
        backbone = build(name, frozen_stages=frozen).model.backbone.network
        learns = {part: getattr(backbone, part).weight.requires_grad for part in ("conv1",)}
        learns |= {f"layer{n}": getattr(backbone, f"layer{n}")[0].conv1.weight.requires_grad for n in (1, 2, 3)}
        assert list(learns.values()) == [frozen < 0, frozen < 1, frozen < 2, True]


@pytest.mark.parametrize("size", [96, 160])
def test_size(build, size):
    built = build("ssd_voc", size=size)
    seen = through(built.model.backbone.network.conv1)
    assert torch.isfinite(total(built))
    assert seen == [(2, 3, size, size)]


def test_ssd300_grid(build):
    model = build("ssd_voc", size=300).model.eval()
    with torch.no_grad():
        assert [level.shape[-1] for level in model.extract_feat(torch.zeros(1, 3, 300, 300))] == [38, 19, 10, 5, 3, 1]


@pytest.mark.parametrize(("rois", "roi_size"), [(8, 7), (16, 14)])
def test_rois_and_their_size(build, rois, roi_size):
    built = build("faster_rcnn_voc", rois_per_image=rois, roi_output_size=roi_size)
    seen = through(built.model.roi_head.shared_head)
    assert torch.isfinite(total(built))
    assert seen == [(2 * rois, 1024, roi_size, roi_size)]


def test_proposals(build):
    for train, test in ((40, 10), (20, 5)):
        built = build("faster_rcnn_voc", rpn_post_nms_top_n={"train": train, "test": test})
        seen = through(built.model.roi_head.shared_head)
        with torch.no_grad():
            built.model.eval().test_step(next(iter(built.val)))
        assert seen[0][0] == test
        made = []
        predict = built.model.rpn_head.loss_and_predict
        built.model.rpn_head.loss_and_predict = lambda *a, keep=predict, to=made, **k: (
            to.append(keep(*a, **k)) or to[-1]
        )
        losses(built)
        assert {len(proposals) for proposals in made[0][1]} == {train}


def test_short_and_long_side(build):
    for short, long, largest in ((48, 96, 64), (96, 96, 96)):
        built = build("faster_rcnn_voc", min_size=short, max_size=long)
        shapes = [item["data_samples"].img_shape for item in built.val.dataset]
        assert {min(shape) for shape in shapes} <= {short, 72}
        assert max(max(shape) for shape in shapes) == largest


@pytest.mark.parametrize("name", ["ssd_voc", *C4])
def test_a_picture_lies_as_its_pixels_are_stored_whatever_its_exif_says(build, name, tmp_path):
    exif = Image.Exif()
    exif[Base.Orientation] = 6  # to be shown turned by 90 degrees
    picture = Image.new("RGB", (60, 40), "blue")
    picture.paste("red", (0, 0, 30, 40))
    picture.save(tmp_path / "phone.jpg", exif=exif, quality=95)
    with Image.open(tmp_path / "phone.jpg") as turned:
        assert ImageOps.exif_transpose(turned).size == (40, 60)
    built = build(name)
    whole = built.train.dataset.dataset
    for dataset in (*getattr(whole, "datasets", [whole]), built.val.dataset):
        read = dataset.pipeline.transforms[0]({"img_path": str(tmp_path / "phone.jpg")})
        assert read["img"].shape == (40, 60, 3)
        assert read["img"][20, 10].argmax() == 2, "red, in OpenCV's order, on the left"


def test_coco_has_the_network_of_voc_and_its_own_labels(build):
    ours, voc = (build(name).cfg for name in ("faster_rcnn_coco", "faster_rcnn_voc"))
    assert ours.model == voc.model
    dataset = build("faster_rcnn_coco").train.dataset.dataset
    assert dataset.cat2label == {1: 0, 2: 1, 3: 2, 5: 3}, "category ids have gaps"
    assert len(dataset) == 12


@pytest.mark.parametrize("name", ["ssd_voc", *C4, "retinanet_voc", "faster_rcnn_fpn_voc"])
def test_the_place_of_an_ignored_object_counts_as_background(build, name):
    """Difficult objects and crowds are no positives, and no assigner spares what lies on them (`ignore_iof_thr=-1`)."""
    built = build(name)
    batch = next(iter(built.train))

    def loss(given: str) -> float:
        samples = copy.deepcopy(batch)
        truth, sample = samples["data_samples"][0].gt_instances, samples["data_samples"][0]
        assert len(truth) > 0
        if given != "object":
            sample.gt_instances, sample.ignored_instances = truth[:0], truth if given == "ignored" else truth[:0]
        torch.manual_seed(0)
        with torch.no_grad():
            data = built.model.data_preprocessor(samples, training=True)
            return float(built.model.parse_losses(built.model(**data, mode="loss"))[0])

    built.model.train()
    assert loss("ignored") == loss("background") != loss("object")


def test_difficult_objects_and_crowds_come_as_ignored(build, coco, tmp_path):
    found = 0
    for part in build("faster_rcnn_voc").train.dataset.dataset.datasets:
        for index in range(len(part)):
            objects = ElementTree.parse(part.get_data_info(index)["xml_path"]).findall("object")
            hard, sample = sum(int(one.findtext("difficult")) for one in objects), part[index]["data_samples"]
            assert (len(sample.ignored_instances), len(sample.gt_instances)) == (hard, len(objects) - hard)
            found += hard
    assert found > 0
    instances = read_json(coco.root / "annotations/instances_train2014.json")
    crowd = instances["annotations"][0]
    crowd["iscrowd"] = 1
    write_json(tmp_path / "crowd.json", instances)
    train2014 = build("faster_rcnn_coco").cfg.train_dataloader.dataset.dataset
    dataset = DATASETS.build(train2014 | {"ann_file": str(tmp_path / "crowd.json")})
    found = {item["data_samples"].img_id: len(item["data_samples"].ignored_instances) for item in dataset}
    assert {image for image, ignored in found.items() if ignored} == {crowd["image_id"]}


@pytest.mark.parametrize("name", C4)
def test_a_sample_s_name_is_its_file(checks, name):
    """It stands in the message of a loss that is not finite."""
    init_default_scope("mmdet")
    check = DatasetInfo.read(checks[name])
    train = DATASETS.build(
        Config(task(make_run(name), check, IMAGENET, RESNET50, Path("unused"))).train_dataloader.dataset
    )
    files = [Path(train.name(index)) for index in range(len(train))]
    assert all(file.is_file() for file in files)
    assert len(set(files)) == len(files) > 0
    shown = [int(train[index, 0]["data_samples"].img_id) for index in range(len(train))]
    assert [int(file.stem.removeprefix("COCO_train2014_")) for file in files] == shown


@pytest.mark.parametrize("name", ["ssd_voc", *C4])
def test_the_transfer_seed_draws_the_order_and_the_pictures(checks, name):
    init_default_scope("mmdet")
    orders, pictures = [], []
    for seed in (0, 1, 0):
        run = dataclasses.replace(make_run(name), seeds={"pretrain": 0, "transfer": seed})
        loader = task(run, DatasetInfo.read(checks[name]), IMAGENET, RESNET50, Path("unused"))["train_dataloader"]
        dataset = DATASETS.build(loader["dataset"])
        orders.append(DATA_SAMPLERS.build({**loader["sampler"], "dataset": dataset}).batch_of(0))
        pictures.append(torch.stack([dataset[index, 0]["inputs"].sum(dim=(0, 1)).float()[:64] for index in range(10)]))
    assert orders[0] == orders[2] != orders[1]
    assert torch.equal(pictures[0], pictures[2])
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize("order", ["RGB", "BGR"])
def test_ssd_fills_with_the_backbones_mean_in_its_channel_order(order, voc):
    """Photos are loaded as BGR."""
    prepare = Preprocessing(order, (100.0, 110.0, 120.0), (1.0, 2.0, 3.0))
    config = Config(task(make_run("ssd_voc"), DatasetInfo.read(voc.check), prepare, RESNET50, Path("unused")))
    for part in config.train_dataloader.dataset.dataset.datasets:
        (expand,) = [step for step in part.pipeline if step.type == "Expand"]
        assert (expand.mean, expand.to_rgb) == (prepare.mean, order == "RGB")


@pytest.mark.parametrize("name", ["voc0712.py", *CONFIGS.values()])
def test_test_images_come_in_their_order_and_half_of_training_s_are_flipped(name):
    config = Config.fromfile(FOLDER / name)
    assert config.val_dataloader.sampler == {"type": "DefaultSampler", "shuffle": False}
    flips = [step.prob for step in config.get("train_pipeline", []) if step.type == "RandomFlip"]
    assert flips == [0.5] * (name != "voc0712.py")
    assert not [step for step in config.get("test_pipeline", []) if step.type == "RandomFlip"]


@pytest.mark.parametrize("stride", ["1x1", "3x3"])
def test_a_network_is_built_with_the_stride_of_its_backbone(stride, voc):
    """As one that is resumed, and not loaded."""
    for name in ("ssd_voc", "faster_rcnn_voc"):
        model = Config(
            task(make_run(name), DatasetInfo.read(voc.check), IMAGENET, RESNET50, Path("unused"), stride)
        ).model
        built = [MODELS.build(model.backbone).network.layer2]
        built += [MODELS.build(model.roi_head.shared_head).layer4] if name in C4 else []
        for layer in built:
            strides = {"1x1": layer[0].conv1.stride, "3x3": layer[0].conv2.stride}
            assert strides == {"1x1": (1, 1), "3x3": (1, 1)} | {stride: (2, 2)}
