"""The localization tasks: class activation maps of finished classifiers, and weakly supervised object localization on
CUB-200-2011 and ImageNet (CutMix, Section 4.2; Choe et al., CVPR 2020)."""

from collections.abc import Mapping
from typing import Any

from workflow import registry
from workflow.contracts import Faults, Figure, Metric, Network, Recipe, Task
from workflow.core.errors import UserError
from workflow.data.sets.imagenet import WITH_BOXES

METRICS = (
    Metric("MaxBoxAccV2", headline=True),
    Metric("MaxBoxAcc"),
    Metric("GT-known"),
    Metric("Top-1 Loc"),
    Metric("top1_error", better="lower", digits=2),
)
FIGURES = (
    Figure("localization", "Localization of the same photos", "maps", ".jpg"),
    Figure("box_accuracy", "Box accuracy over thresholds", "curves", ".png"),
)


def no_mean(network: Network, recipe: Recipe) -> str:
    """Why a network has no class activation maps; "" if it has."""
    return "" if network.pooled else "its classifier gets no mean over the cells of its last map"


def no_map(network: Network, recipe: Recipe) -> str:
    """Why a network cannot be fine-tuned for localization; "" if it can."""
    wanted, strides = recipe["map_stride"], network.map_strides
    reason = f"its last map can have a stride of {', '.join(map(str, strides))} px, not of map_stride {wanted}"
    return no_mean(network, recipe) or ("" if wanted in strides else reason)


def networks_exist(path: str, recipe: Mapping[str, Any], config: Mapping[str, Any]) -> Faults:
    """Networks that have rates of their own exist."""
    for name in recipe.get("lr_of_networks", {}):
        try:
            registry.network(name)
        except UserError as error:
            yield f"{path}.lr_of_networks.{name}: {error}"


def two_samples(recipe: Recipe) -> bool:
    """Whether batch norm sees one value a channel of the last map if it gets one sample."""
    return recipe["crop_size"] <= recipe["map_stride"]


def wsol(name: str, title: str, dataset: str, test_part: str, sample: str) -> Task:
    """Fine-tuning on a set."""
    return Task(
        name=name,
        title=title,
        folder="localization",
        dataset=dataset,
        metrics=METRICS,
        train_parts=("train",),
        test_part=test_part,
        sample=sample,
        check=networks_exist,
        rejects=no_map,
        two_samples=two_samples,
        figures=FIGURES,
    )


TASKS = (
    Task(
        name="cam_imagenet",
        title="CAM on ImageNet, localization",
        folder="localization",
        dataset="imagenet",
        metrics=METRICS,
        kind="evaluate",
        classifier=True,
        test_part="val",
        sample=WITH_BOXES,
        rejects=no_mean,
        figures=FIGURES,
    ),
    wsol("wsol_cub", "WSOL on CUB, localization", "cub", "test", "training images"),
    wsol("wsol_imagenet", "WSOL on ImageNet, localization", "imagenet", "val", WITH_BOXES),
)
