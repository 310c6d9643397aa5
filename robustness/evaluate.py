"""Score the classifier of a published backbone under one of the room's protocols, in fp32."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from torch.utils.data import Dataset
from tqdm import tqdm

from backbones.backbone import metadata
from backbones.classifier import PublishedClassifier, load_classifier
from backbones.images import TestImages, open_test_images
from robustness import ood
from robustness.blocks import Block, by_blocks, predictions
from robustness.protocols import Protocols
from robustness.scores import ALEXNET, Scores, clean_test, corrupted, percent
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import write_json
from workflow.data.class_folders import ClassFolders
from workflow.data.imagenet_c import SEVERITIES, folder
from workflow.planning.run_spec import RunSpec
from workflow.training import per_image
from workflow.training.batches import load_batches
from workflow.training.precision import configure_torch
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context
from workflow.training.resume.interrupts import guard_workers
from workflow.training.resume.parts import Arrays, FinishedParts

Scorer = Callable[[RunSpec, DatasetInfo, PublishedClassifier, FinishedParts], Scores]


def names(images: TestImages) -> list[str]:
    """What the images of a set are called, in its order."""
    return [images.source.name(place) for place in range(len(images))]


def score_clean_test(run: RunSpec, check: DatasetInfo, classifier: PublishedClassifier, parts: FinishedParts) -> Scores:
    """Attacks, occlusion and blended pairs on the validation images."""
    recipe, images = run.recipe, open_test_images(check, run.recipe)
    protocols = Protocols(classifier, recipe, classifier.outputs(check.classes))
    predicted = by_blocks(run, images, classifier.device, parts, protocols)
    metrics, flags = clean_test(predicted)
    shown = {"label": predicted["label"], "predicted": predicted["clean"], "fgsm": predicted["fgsm"][:, -1],
             "pgd": predicted["pgd"]}  # fmt: skip
    eps = ", ".join(f"{each:g}" for each in recipe["fgsm_eps"])
    protocol = {
        "split": f"{len(images)} validation images, resize {recipe['val_resize_size']}, crop {recipe['crop_size']}",
        "precision": "fp32",
        "fgsm": f"eps {eps} of 255, before normalisation, clipped",
        "pgd": f"eps {recipe['pgd_eps']:g}, {recipe['pgd_steps']} steps of {recipe['pgd_step_size']:g} of 255, "
        "random start",
        "occlusion": f"{recipe['occlusion_steps'] + 1} sizes, filled with {recipe['occlusion_fill']}",
        "in_between": f"{recipe['mixup_steps'] + 1} values of λ, {recipe['cutmix_steps'] + 1} sizes, random pairs",
    }
    return Scores(names(images), metrics, flags, shown, protocol)


def score_corruptions(
    run: RunSpec, check: DatasetInfo, classifier: PublishedClassifier, parts: FinishedParts
) -> Scores:
    """The corrupted copies of the validation images: a part for each corruption and severity. They have the size of the
    crop: another crop scales them."""
    outputs = np.array(classifier.outputs(check.classes))
    recipe = run.recipe | {"val_resize_size": run.recipe["crop_size"]}
    tables = []
    for corruption in ALEXNET:
        for severity in SEVERITIES:
            images = TestImages(ClassFolders(folder(check.root, corruption, severity)), recipe)
            part = f"{corruption}-{severity}"
            tables.append(parts(part, lambda images=images, part=part: predict_images(run, images, classifier, part)))
    predicted = np.stack([each["predicted"] for each in tables], axis=1).reshape(-1, len(ALEXNET), len(SEVERITIES))
    label = outputs[images.source.targets]
    metrics, flags = corrupted(predicted, label)
    split = f"{len(images)} images in {len(ALEXNET)} corruptions of {len(SEVERITIES)} severities"
    protocol = {"split": f"{split}, crop {recipe['crop_size']}", "precision": "fp32"}
    errors = flags["corruption_errors"].sum(axis=(1, 2))
    return Scores(names(images), metrics, flags, {"label": label, "errors": errors}, protocol)


def predict_images(run: RunSpec, images: Dataset, classifier: PublishedClassifier, part: str) -> Arrays:
    """What the network takes each image of a set for, (N,)."""
    size = run.recipe["batch_size"]
    loader, found = load_batches(images, run.workers, batch_size=size), []
    bar = tqdm(desc=f"[{run.name}] {part}", total=len(images), unit="image")
    with guard_workers(run.name, run.workers), bar:
        for batch in loader:
            found.append(predictions(classifier, batch["images"].to(classifier.device, non_blocking=True), size))
            bar.update(len(batch["labels"]))
    return {"predicted": np.concatenate(found)}


def score_other_images(
    run: RunSpec, check: DatasetInfo, classifier: PublishedClassifier, parts: FinishedParts
) -> Scores:
    """Other images of some of the network's classes, among which only these are predicted."""
    recipe, images = run.recipe, open_test_images(check, run.recipe)
    compute = masked(classifier, recipe, classifier.outputs(check.classes))
    predicted = by_blocks(run, images, classifier.device, parts, compute)
    metrics = {"accuracy": percent(predicted["predicted"] == predicted["label"])}
    sizes = f"resize {recipe['val_resize_size']}, crop {recipe['crop_size']}"
    split = f"{len(images)} images, {sizes}; the logits of their {len(check.classes)} classes"
    return Scores(names(images), metrics, {}, predicted, {"split": split, "precision": "fp32"})


def masked(classifier: PublishedClassifier, recipe: Mapping[str, Any], outputs: list[int]) -> Callable[[Block], Arrays]:
    """What the network takes each image of a block for among these outputs: the class of the data."""

    def compute(block: Block) -> Arrays:
        found = predictions(classifier, block.images, recipe["batch_size"], outputs)
        return {"predicted": found, "label": block.labels.cpu().numpy()}

    return compute


SCORERS: dict[str, Scorer] = {
    "robustness_imagenet": score_clean_test,
    "imagenet_c": score_corruptions,
    "imagenet_r": score_other_images,
    "imagenet_a": score_other_images,
}


def scorer(run: RunSpec, in_distribution: Path | None) -> Scorer:
    """The protocol of a run's task. `in_distribution`: check of the pretraining set, of tasks that score that too."""
    if in_distribution:
        return functools.partial(ood.score, known=DatasetInfo.read(in_distribution))
    return SCORERS[run.type]


def publish(out: Path, scores: Scores) -> None:
    """Write the evidence and the predictions."""
    per_image.write(out / "per_image.npz", np.array(scores.images), **scores.metrics, **scores.flags)
    columns = {"image": scores.images, **{key: array.tolist() for key, array in scores.predicted.items()}}
    rows = zip(*columns.values(), strict=True)
    write_json(out / "predictions.json", [dict(zip(columns, row, strict=True)) for row in rows])


def evaluate(
    run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path, in_distribution: Path | None = None
) -> None:
    """Publish predictions and evidence, and write the record last. `in_distribution`: as of `scorer`."""
    check = DatasetInfo.read(check_file)
    known = {"in_distribution": DatasetInfo.read(in_distribution).fingerprint} if in_distribution else {}
    of = made_of(run, check, backbone, **known)
    with run_context(state, out, of):
        configure_torch(run.threads)
        classifier = load_classifier(backbone, of["backbone"])
        scores = scorer(run, in_distribution)(run, check, classifier, FinishedParts(state, of, run.name))
        publish(out, scores)
        metrics = {name: float(values.mean()) for name, values in scores.metrics.items()} | scores.totals
        protocol = scores.protocol | {"network": metadata(backbone)["network"]}
        write_record(out, run, None, of=of, metrics=metrics, protocol=protocol, check=check_file, backbone=backbone)
