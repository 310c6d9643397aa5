"""Classify the test images of a set by the frozen features of a published backbone: by their nearest training images,
or by a linear classifier that is trained on all features."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from backbones.backbone import metadata
from classification import embeddings, scores
from classification.knn import nearest, vote
from classification.logistic import fit, standardized
from classification.splits import split
from classification.task import HELD_OUT
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import write_json
from workflow.data import labelled
from workflow.planning.run_spec import RunSpec
from workflow.training import per_image, shared_artifact
from workflow.training.precision import configure_torch
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context
from workflow.training.resume.parts import Arrays, FinishedParts

Features = dict[str, np.ndarray]  # of the parts `train` and `test`, (N, F) float16


@dataclass(frozen=True)
class Classified:
    """The test images of a run, classified.

    Args:
        predicted: their classes, (N,).
        protocol: how, in words that are the same for every backbone.
        chosen: what was chosen for this backbone, by name.
    """

    predicted: np.ndarray
    protocol: dict[str, Any]
    chosen: dict[str, float]


Classify = Callable[[RunSpec, Features, np.ndarray, int, FinishedParts], Classified]


def by_neighbours(
    run: RunSpec, features: Features, labels: np.ndarray, classes: int, parts: FinishedParts
) -> Classified:
    """By the nearest training images."""
    recipe = run.recipe

    def compute() -> Arrays:
        similarity, places = nearest(features["test"], features["train"], recipe["k"])
        return {"predicted": vote(similarity, labels[places], classes, recipe["temperature"])}

    how = f"k = {recipe['k']}, cosine similarity, votes weighted with temperature {recipe['temperature']:g}"
    return Classified(parts("neighbours", compute)["predicted"], {"neighbours": how}, {})


def by_linear_classifier(
    run: RunSpec, features: Features, labels: np.ndarray, classes: int, parts: FinishedParts
) -> Classified:
    """By the strength of regularization that is best on held-out training images, of equals the largest; the
    classifier is then trained on all."""
    drawn, errors = split(labels), {}

    def held_out(l2: float) -> Arrays:
        fitted, val = standardized(features["train"][drawn.fit], features["train"][drawn.val])
        found = fit(fitted, labels[drawn.fit], classes, l2)
        error = 100.0 * (found.predict(val) != labels[drawn.val]).mean()
        print(f"[{run.name}] l2 {l2:g}: held-out error {error:.2f} %, {found.iterations} iterations", flush=True)
        return {"error": np.array(error)}

    def test(l2: float) -> Arrays:
        train, test = standardized(features["train"], features["test"])
        return {"predicted": fit(train, labels, classes, l2).predict(test)}

    for place, l2 in enumerate(run.recipe["l2"]):
        errors[l2] = float(parts(f"l2-{place}", lambda l2=l2: held_out(l2))["error"])
    best = min(errors, key=lambda l2: (errors[l2], -l2))
    how = f"best of {len(errors)} on {len(drawn.val)} held-out training images; then trained on all"
    protocol = {"l2": how, "held_out": f"{HELD_OUT:.0%} of each class"}
    return Classified(parts("test", lambda: test(best))["predicted"], protocol, {"l2": best})


CLASSIFY: dict[str, Classify] = {"knn": by_neighbours, "linear_probe": by_linear_classifier}


def protocol(run: RunSpec, check: DatasetInfo, meta: dict[str, Any]) -> dict[str, Any]:
    """How the numbers were made; `meta` is what the backbone says of itself."""
    return {
        "split": f"{labelled.test_count(check)} test images, {labelled.train_count(check)} training images",
        "input": f"resize {run.recipe['resize_size']}, centre crop {run.recipe['crop_size']}, in training and test",
        "preprocessing": {key: meta[key] for key in ("channel_order", "mean", "std")},
        "network": meta["network"],
        "stride": meta["stride"],
    }


def publish(out: Path, images: list[str], predicted: np.ndarray, arrays: dict[str, np.ndarray]) -> None:
    """Write `per_image.npz` and `predictions.json`.

    Args:
        out: the folder.
        images: names of the test images.
        predicted: their classes, (N,).
        arrays: of per_image.npz (scores.evidence, and more).
    """
    per_image.write(out / "per_image.npz", np.array(images), **arrays)
    columns = zip(images, arrays["label"].tolist(), predicted.tolist(), strict=True)
    write_json(out / "predictions.json", [{"image": a, "label": b, "predicted": c} for a, b, c in columns])


def evaluate(run: RunSpec, backbone: Path, folder: Path, check_file: Path, state: Path, out: Path) -> None:
    """Publish predictions and evidence, and write the record last; `folder` has the features."""
    check = DatasetInfo.read(check_file)
    of = made_of(run, check, backbone, embeddings=shared_artifact.identity(folder))
    with run_context(state, out, of):
        configure_torch(run.threads)
        index, parts = embeddings.verify(folder, run, check, backbone), FinishedParts(state, of, run.name)
        train, test = labelled.open_train(check), labelled.open_test(check)
        features = {part: shared_artifact.read_array(folder, part) for part in embeddings.PARTS}
        labels = np.asarray(train.targets)
        found = CLASSIFY[run.type](run, features, labels, len(check.classes), parts)
        arrays = scores.evidence(found.predicted, np.asarray(test.targets))
        publish(out, [test.name(place) for place in range(len(test))], found.predicted, arrays)
        write_record(
            out,
            run,
            None,
            of=of,
            metrics=scores.metrics(arrays),
            protocol=protocol(run, check, metadata(backbone)) | found.protocol,
            check=check_file,
            backbone=backbone,
            changed=shared_artifact.differences(folder, index),
            **({"chosen": found.chosen} if found.chosen else {}),
            artifacts={"embeddings": {key: index[key] for key in ("files", "made_with")}},
        )
