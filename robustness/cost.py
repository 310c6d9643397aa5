"""What an evaluation costs here (workflow/planning/cost.py)."""

from pathlib import Path

import torch
from torch.utils.data import Subset

from backbones.backbone import publish_untrained
from backbones.classifier import load_classifier
from backbones.images import TestImages
from robustness.blocks import by_blocks
from robustness.evaluate import masked, predict_images
from robustness.ood import logit_scores
from robustness.protocols import Protocols
from workflow.core.dataset_info import DatasetInfo
from workflow.data.class_folders import ClassFolders
from workflow.data.imagenet_c import folders
from workflow.data.labelled import ImageSource, open_test
from workflow.data.ood_images import open_set
from workflow.planning.run_spec import RunSpec
from workflow.training import timing
from workflow.training.precision import configure_torch
from workflow.training.resume.parts import FinishedParts

FEW = 4  # images that are enough on a CPU if they take SECONDS: a photo passes through the network a hundred times
SECONDS = 10.0


def source(run: RunSpec, check: DatasetInfo) -> ImageSource:
    """Some of the images that a run scores."""
    if run.type == "imagenet_c":
        return ClassFolders(str(next(folders(Path(check.root)))))
    return open_set(check.root, check.classes[0]) if "sets" in run.recipe else open_test(check)


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """Seconds of a test image, in all that its protocols do with it, of a batch on a GPU."""
    configure_torch(run.threads)
    check, backbone, recipe = DatasetInfo.read(check_file), out / "backbone.safetensors", run.recipe
    publish_untrained(backbone, network, check.classes)
    classifier, outputs = load_classifier(backbone), list(range(len(check.classes)))
    images = TestImages(source(run, check), {"val_resize_size": recipe["crop_size"], **recipe})
    begun = timing.now()
    for number in [recipe["batch_size"]] if torch.cuda.is_available() else [FEW, recipe["batch_size"]]:
        few, start = Subset(images, range(min(len(images), number))), timing.now()
        parts = FinishedParts(out / f"state{number}", {}, run.name)
        if run.type == "imagenet_c":
            predict_images(run, few, classifier, "cost")
        elif "sets" in recipe:
            logit_scores(run, few, classifier, "cost")
        else:
            scored = run.type == "robustness_imagenet"
            compute = Protocols(classifier, recipe, outputs) if scored else masked(classifier, recipe, outputs)
            by_blocks(run, few, classifier.device, parts, compute)
        seconds = timing.now() - start
        if seconds > SECONDS:
            break
    return {"image": seconds / len(few), "timed": timing.now() - begun}
