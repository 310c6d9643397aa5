"""Which stages of a network the detectors work on, and why one of them rejects a network."""

from collections.abc import Mapping, Sequence
from typing import Any

from workflow.contracts import Network

Recipe = Mapping[str, Any]
SSD = RETINANET = (8, 16, 32)  # px; strides of the maps that a detector takes from its backbone
PYRAMID = (4, 8, 16, 32)


def out_indices(network: Network, strides: Sequence[int]) -> list[int]:
    """Places in `network.stages` of the last stage of each stride, which the network must have."""
    places = {stage.stride: place for place, stage in enumerate(network.stages)}
    return [places[stride] for stride in strides]


def ssd_rejects(network: Network, recipe: Recipe) -> str:
    """Why SSD300 cannot take a network; "" if it can."""
    return lacks_maps(network, SSD) or frozen_too_far(network, recipe)


def retinanet_rejects(network: Network, recipe: Recipe) -> str:
    """Why RetinaNet cannot take a network; "" if it can."""
    return lacks_maps(network, RETINANET) or frozen_too_far(network, recipe)


def pyramid_rejects(network: Network, recipe: Recipe) -> str:
    """Why Faster R-CNN with a feature pyramid cannot take a network; "" if it can."""
    return lacks_maps(network, PYRAMID) or frozen_too_far(network, recipe)


def c4_rejects(network: Network, recipe: Recipe) -> str:
    """Why Faster R-CNN C4 cannot take a network; "" if it can."""
    last = network.stages[-1]
    names = [name for block in last.blocks for name in block.branches]
    whole = bool(names) and all(name.startswith(f"{last.name}.") for name in names)
    convolutional = network.layout == "NCHW" and all(block.outputs for block in last.blocks)
    if [stage.stride for stage in network.stages[-2:]] != [16, 32] or not (whole and convolutional):
        instead = "" if lacks_maps(network, PYRAMID) else " (faster_rcnn_fpn_voc and faster_rcnn_fpn_coco take it)"
        return f"C4 puts regions of stride 16 through a last stage of residual convolutions{instead}"
    return frozen_too_far(network, recipe, trained=1)


def lacks_maps(network: Network, strides: Sequence[int]) -> str:
    """Which maps a network lacks; "" if it has all of these strides."""
    found = sorted({stage.stride for stage in network.stages})
    if set(strides) <= set(found):
        return ""
    return f"it works on maps of strides {listed(strides)}, not {listed(found)}"


def frozen_too_far(network: Network, recipe: Recipe, trained: int = 0) -> str:
    """Whether the recipe freezes stages that the network lacks, or those `trained` last ones that must learn."""
    most = len(network.stages) - trained
    return f"frozen_stages can be at most {most} of its stages" if recipe["frozen_stages"] > most else ""


def listed(strides: Sequence[int]) -> str:
    """`8, 16, 32`"""
    return ", ".join(map(str, strides))
