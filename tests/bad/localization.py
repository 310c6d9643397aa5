"""Recipes, data and networks that do not suit localization, said before the first training step."""

from tests.bad.cases import Case, Damage
from tests.bad.configs import DEMO, value
from tests.localization.recipes import CAM, WSOL
from workflow.config.loading import overlay

CUB = {"synthetic": {"classes": 4, "train": 24, "test": 10, "size": 40, "seed": 0}}
BASE = DEMO | {"data": DEMO["data"] | {"cub": CUB}, "tasks": {}}


def cam(network: str = "resnet18", **changes: object) -> Damage:
    """Maps of a finished classifier under another recipe."""
    base = overlay(BASE, {"backbones": {"other": {"network": network}}})
    return value("tasks", {"cam_imagenet": CAM | changes}, base)


def wsol(network: str = "resnet18", **changes: object) -> Damage:
    """A fine-tuning under another recipe."""
    base = overlay(BASE, {"backbones": {"other": {"network": network}}})
    return value("tasks", {"wsol_cub": WSOL | changes}, base)


CONFIGS = [
    Case("a crop that is larger than the photo",
         "x.yaml: tasks.cam_imagenet.crop_size: 64 is larger than resize_size (40)", cam(crop_size=64)),
    Case("a threshold of a map's whole maximum",
         "x.yaml: tasks.cam_imagenet.sigma: must be below 1, not 1", cam(sigma=1)),
    Case("the map of no class",
         "x.yaml: tasks.cam_imagenet.cam_class: must be ground_truth or predicted, not 'true'", cam(cam_class="true")),
    Case("rates of an unknown network", "x.yaml: tasks.wsol_cub.lr_of_networks.vgg: there is no network vgg …",
         wsol(lr_of_networks={"vgg": {"lr": 1, "classifier_lr": 1}})),
    Case("regularizers of one's own in a fine-tuning",
         "x.yaml: tasks.wsol_cub.regularizers: must be text, not …", wsol(regularizers={"mixup": {"alpha": 1}})),
    Case("a set without boxes of birds", "x.yaml: data.cub: missing data set (tasks.wsol_cub needs it)",
         value("tasks", {"wsol_cub": WSOL})),
    Case("a network without a mean before its classifier",
         "x.yaml: backbones.other: tasks.cam_imagenet cannot take a …: its classifier gets no mean over the cells of …",
         cam("timm/test_vit")),
    Case("a map stride that a network cannot have", "x.yaml: backbones.other: tasks.wsol_cub cannot take a …: its last "
         "map can have a stride of 16 px, not of map_stride 32…", wsol("vgg16_gap", map_stride=32)),
]  # fmt: skip
