"""How often the host waits for a GPU in a training step of a detector, against mmdet as it comes: counted, on the
pretended device of the tests. Each such wait leaves the GPU without work until the host has caught up.
"""

from functools import partial

from tests.bench.detecting import COMMON, FASTER, SSD, Step, pair
from tests.bench.row import Measured, Row
from tests.pretended_cuda.device import Device

SMALL = {"min_size": 256, "max_size": 320}  # the size of an image or a region changes no count
C4 = FASTER | SMALL | {"rois_per_image": 16, "roi_output_size": 7}
PYRAMID = COMMON | SMALL | {"frozen_stages": 1, "nms_threshold": 0.5}


def count(step: Step, device: Device) -> int:
    """Of the second step: the first one sets up what stays."""
    step()
    device.costs.clear()
    step()
    return sum(device.costs.waits.values())


def measure(name: str, recipe: dict, batch_size: int) -> Measured:
    """Exact, so once is enough."""
    from tests.pretended_cuda.runtime import pretended_cuda

    with pretended_cuda() as device:
        ours, theirs = (count(step, device) for step in pair(name, {**recipe, "batch_size": batch_size}, "cuda"))
    return Measured(ours, theirs, theirs / ours)


def row(task: str, what: str, recipe: dict, batch_size: int, target: float) -> Row:
    """Of one detector."""
    return Row(
        name=f"{task}_waits",
        what=f"{what}: waits for a GPU in a training step of {batch_size} images",
        reference="mmdet's own modules",
        unit="waits",
        target=target,
        measure=partial(measure, task, recipe, batch_size),
    )


ROWS = [
    row("ssd_voc", "SSD300", SSD, 8, 13),
    row("faster_rcnn_voc", "Faster R-CNN C4", C4, 4, 3),
    row("faster_rcnn_fpn_voc", "Faster R-CNN FPN", PYRAMID, 4, 3),
    row("retinanet_voc", "RetinaNet", PYRAMID, 4, 3),
]
