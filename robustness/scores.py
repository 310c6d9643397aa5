"""From predictions to the metrics of a run: a value for each image, whose mean is the metric, and flags for each point
of a curve."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Arrays = dict[str, np.ndarray]
# The error rates of AlexNet, by which those of a network are divided (Hendrycks and Dietterich, ICLR 2019).
ALEXNET = {
    "gaussian_noise": 0.886428,
    "shot_noise": 0.894468,
    "impulse_noise": 0.922640,
    "defocus_blur": 0.819880,
    "glass_blur": 0.826268,
    "motion_blur": 0.785948,
    "zoom_blur": 0.798360,
    "snow": 0.866816,
    "frost": 0.826572,
    "fog": 0.819324,
    "brightness": 0.564592,
    "contrast": 0.853204,
    "elastic_transform": 0.646056,
    "pixelate": 0.717840,
    "jpeg_compression": 0.606500,
}
CURVES = ("fgsm", "center", "boundary", "mixup", "cutmix")


@dataclass(frozen=True)
class Scores:
    """What an evaluation has found.

    Args:
        images: names of the test images, (N,).
        metrics: a value in percent for each image, (N,) float64.
        flags: for each point of a curve whether the image counts, (N, …) bool; of other tasks what their columns are
            computed from, (N,).
        predicted: for predictions.json, arrays (N,).
        protocol: for the record.
        totals: metrics that are not a mean over the images.
    """

    images: list[str]
    metrics: Arrays
    flags: Arrays
    predicted: Arrays
    protocol: dict[str, Any]
    totals: dict[str, float] = field(default_factory=dict)


def clean_test(predicted: Arrays) -> tuple[Arrays, Arrays]:
    """(metrics, flags) of the protocols on a clean test set.

    Flags are right answers without an attack and under FGSM, errors under occlusion, and predictions of neither class
    of a blended pair. The errors of a curve are averaged over its points.
    """
    label, partner = predicted["label"][:, None], predicted["partner"][:, None]
    flags = {"fgsm": np.column_stack([predicted["clean"], predicted["fgsm"]]) == label}
    flags |= {key: predicted[key] != label for key in ("center", "boundary")}
    flags |= {key: (predicted[key] != label) & (predicted[key] != partner) for key in ("mixup", "cutmix")}
    right = flags["fgsm"][:, 0], flags["fgsm"][:, -1], predicted["pgd"] == predicted["label"]
    metrics = dict(zip(("accuracy", "fgsm_accuracy", "pgd_accuracy"), map(percent, right), strict=True))
    for key, name in (("center", "center_occlusion_error"), ("boundary", "boundary_occlusion_error"),
                      ("mixup", "mixup_error"), ("cutmix", "cutmix_error")):  # fmt: skip
        metrics[name] = percent(flags[key].mean(axis=1))
    return metrics | {"zero_gradient": predicted["zero_gradient"].astype(np.float64)}, flags


def corrupted(predicted: np.ndarray, label: np.ndarray) -> tuple[Arrays, Arrays]:
    """(metrics, flags) of corrupted copies of the test images: the mean corruption error and the accuracy.

    Args:
        predicted: (N, corruptions, severities), the corruptions in the order of ALEXNET.
        label: (N,).
    """
    errors = predicted != label[:, None, None]
    rates = percent(errors.mean(axis=2))
    mce = (rates / np.array(list(ALEXNET.values()))).mean(axis=1)
    return {"mCE": mce, "accuracy": 100 - rates.mean(axis=1)}, {"corruption_errors": errors}


def percent(values: np.ndarray) -> np.ndarray:
    """Flags or shares as percent, float64."""
    return 100.0 * values.astype(np.float64)


def curve_points(arrays: Mapping[str, np.ndarray]) -> Callable[[np.ndarray], dict[str, np.ndarray]]:
    """The scorer of flags: function of weights (N, B) that gives the percentage of each point of each curve, under
    `<curve> <place>` (B,)."""
    flat = {key: array.reshape(len(array), -1).astype(np.float32) for key, array in arrays.items()}

    def score(weights: np.ndarray) -> dict[str, np.ndarray]:
        drawn = weights.astype(np.float32)
        shares = {key: 100.0 * (array.T @ drawn).astype(np.float64) / len(array) for key, array in flat.items()}
        return {f"{key} {place}": row for key, rows in shares.items() for place, row in enumerate(rows)}

    return score
