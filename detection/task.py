"""The detection tasks: SSD300 and Faster R-CNN (C4) on VOC07+12, and the latter on COCO (CutMix, Section 4.3);
RetinaNet and Faster R-CNN with a feature pyramid, for networks of any kind."""

from collections.abc import Callable, Mapping
from typing import Any

from detection import stages
from workflow.contracts import Array, Faults, Figure, Metric, Network, Resampling, Task

VOC_METRICS = (Metric("mAP", headline=True), Metric("mAP_area"))
COCO_METRICS = (Metric("AP", headline=True), Metric("AP50"), Metric("AP75"))
RESAMPLING = Resampling(
    arrays={
        "image": Array(("D",), "count", index="N"),
        "label": Array(("D",), "count", index="C"),
        "score": Array(("D",)),
        "hit": Array(("D", "T"), "flag"),
        "left": Array(("D", "T"), "flag"),
        "truths": Array(("N", "C"), "count"),
    },
    scorer="detection.average_precision:Detections",
    check="detection.average_precision:check",
    unique="detections",  # as two networks may well share their words and classes: those that know all or nothing
)
Rejects = Callable[[Network, Mapping[str, Any]], str]
FOLDER, SAMPLE = "detection", "training images with an object"


def detections(memory_mb: int = 2000) -> tuple[Figure, ...]:
    """The detections of all backbones on the same test images."""
    title = "Detections on the same images"
    return (Figure("detections", title, "visualize", ".jpg", memory_mb=memory_mb),)


def whole_val2014(path: str, recipe: Mapping[str, Any], config: Mapping[str, Any]) -> Faults:
    """Karpathy's split is one of captions."""
    name = recipe.get("data", "coco")
    if config["data"].get(name, {}).get("split") == "karpathy":
        yield f'data.{name}.split: karpathy divides captions; {path} needs "2014"'


def on_voc(name: str, title: str, rejects: Rejects) -> Task:
    """A detector on VOC07+12."""
    return Task(
        name=name,
        title=title,
        folder=FOLDER,
        dataset="voc",
        metrics=VOC_METRICS,
        train_parts=("trainval07", "trainval12"),
        test_part="test07",
        sample=SAMPLE,
        rejects=rejects,
        per_class=True,
        figures=detections(),
        resampling=(RESAMPLING,),
    )


def on_coco(name: str, title: str, rejects: Rejects) -> Task:
    """A detector on COCO 2014."""
    return Task(
        name=name,
        title=title,
        folder=FOLDER,
        dataset="coco",
        train_parts=("train_images",),
        test_part="test_images",
        metrics=COCO_METRICS,
        sample=SAMPLE,
        check=whole_val2014,
        rejects=rejects,
        per_class=True,
        figures=detections(memory_mb=6000),  # truth and detections of val2014
        resampling=(RESAMPLING,),
        memory_factor=3,  # large annotations
        report_memory_mb=3000,
    )


TASKS = (
    on_voc("ssd_voc", "SSD, detection", stages.ssd_rejects),
    on_voc("faster_rcnn_voc", "Faster R-CNN, detection", stages.c4_rejects),
    on_coco("faster_rcnn_coco", "Faster R-CNN on COCO, detection", stages.c4_rejects),
    on_voc("retinanet_voc", "RetinaNet, detection", stages.retinanet_rejects),
    on_voc("faster_rcnn_fpn_voc", "Faster R-CNN FPN, detection", stages.pyramid_rejects),
    on_coco("faster_rcnn_fpn_coco", "Faster R-CNN FPN on COCO, detection", stages.pyramid_rejects),
)
