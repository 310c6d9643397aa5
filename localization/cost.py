"""What localization costs here (workflow/planning/cost.py)."""

from dataclasses import replace
from pathlib import Path

from backbones.backbone import metadata, publish_untrained
from backbones.classifier import load_classifier
from backbones.construct import IMAGENET_CLASSES
from localization.evaluate import Evaluation
from localization.photos import photos
from localization.train import task
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec
from workflow.registry import tasks
from workflow.training import timing
from workflow.training.precision import configure_torch


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """Seconds of a step and of a test image, boxes included; of what trains nothing, of an image."""
    check, backbone, state = DatasetInfo.read(check_file), out / "backbone.safetensors", out / "state"
    publish_untrained(backbone, network)
    dataset, meta = photos(check, {"synthetic": {}}), metadata(backbone)
    if tasks()[run.type].kind == "train":
        run, start = timing.few_images(run, run.recipe["crop_size"]), lambda model: model.load(backbone)
        return timing.measure(run, task(run, check, meta, {}, dataset, state), check.counts["train"], state, start)
    configure_torch(run.threads)
    names = (*check.classes, *(f"class {n}" for n in range(IMAGENET_CLASSES)))[:IMAGENET_CLASSES]
    evaluation = Evaluation(run, replace(load_classifier(backbone), names=names), check.classes, dataset)
    start = timing.now()
    evaluation.score(range(len(dataset.all)))
    timed = timing.now() - start
    return {"image": timed / len(dataset.all), "timed": timed}
