"""The robustness tasks, which score a published classifier: attacks, occlusion and blended pairs (CutMix, Section 4.4),
and three data sets that later work added: ImageNet-C, ImageNet-R and ImageNet-A."""

from collections.abc import Mapping
from typing import Any

from workflow.contracts import Array, Faults, Figure, Metric, Resampling, Task

CURVES = (Figure("robustness_curves", "Robustness: a curve for each protocol", "curves", ".png",
                 reads=("per_image.npz", "config.json", "metrics.json")),)  # fmt: skip
SCORER = "robustness.scores:curve_points"
POINTS = {"fgsm": "E", "center": "H", "boundary": "H", "mixup": "L", "cutmix": "S"}
FOLDER = "robustness"


def reachable(path: str, recipe: Mapping[str, Any], config: Mapping[str, Any]) -> Faults:
    """Squares grow by a pixel at least, and PGD can reach its bound."""
    for key in ("occlusion_steps", "cutmix_steps"):
        if recipe[key] > recipe["crop_size"]:
            yield f"{path}.{key}: {recipe[key]} steps to crop_size ({recipe['crop_size']} px) are not whole pixels"
    if recipe["pgd_steps"] * recipe["pgd_step_size"] < recipe["pgd_eps"]:
        steps = f"{recipe['pgd_steps']} steps of pgd_step_size ({recipe['pgd_step_size']})"
        yield f"{path}.pgd_steps: {steps} do not reach pgd_eps ({recipe['pgd_eps']})"


def other_images(name: str, title: str) -> Task:
    """A test set of some of ImageNet's classes."""
    return Task(
        name=name,
        title=title,
        dataset=name,
        metrics=(Metric("accuracy", headline=True),),
        test_part="test",
        sample="test images",
        folder=FOLDER,
        kind="evaluate",
        classifier=True,
    )


TASKS = (
    Task(
        name="robustness_imagenet",
        title="Robustness on ImageNet",
        dataset="imagenet",
        metrics=(
            Metric("accuracy", table="terminal"),
            Metric("fgsm_accuracy", headline=True),
            Metric("pgd_accuracy"),
            Metric("center_occlusion_error", better="lower", table="csv"),
            Metric("boundary_occlusion_error", better="lower", table="csv"),
            Metric("mixup_error", better="lower", table="csv"),
            Metric("cutmix_error", better="lower", table="csv"),
            Metric("zero_gradient", better="lower", table="csv"),
        ),
        test_part="val",
        sample="training images",
        check=reachable,
        figures=CURVES,
        resampling=tuple(Resampling({name: Array(("N", axis), "flag")}, SCORER) for name, axis in POINTS.items()),
        folder=FOLDER,
        kind="evaluate",
        classifier=True,
    ),
    Task(
        name="imagenet_c",
        title="ImageNet-C",
        dataset="imagenet_c",
        metrics=(
            Metric("mCE", better="lower", maximum=float("inf"), headline=True),
            Metric("accuracy", table="terminal"),
        ),
        test_part="corrupted",
        sample="test images",
        figures=CURVES,
        resampling=(Resampling({"corruption_errors": Array(("N", 15, 5), "flag")}, SCORER),),
        folder=FOLDER,
        kind="evaluate",
        classifier=True,
    ),
    other_images("imagenet_r", "ImageNet-R"),
    other_images("imagenet_a", "ImageNet-A"),
)
