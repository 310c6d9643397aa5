"""The robustness tasks, which score a published classifier: attacks, occlusion, blended pairs and out-of-distribution
detection (CutMix, Section 4.4), and three data sets that later work added: ImageNet-C, ImageNet-R and ImageNet-A."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal

from workflow.contracts import Array, Faults, Figure, Metric, Recipe, Resampling, Task

CURVES = (Figure("robustness_curves", "Robustness: a curve for each protocol", "curves", ".png",
                 reads=("per_image.npz", "config.json", "metrics.json")),)  # fmt: skip
SCORER = "robustness.scores:curve_points"
POINTS = {"fgsm": "E", "center": "H", "boundary": "H", "mixup": "L", "cutmix": "S"}
FOLDER = "robustness"
OOD_METRICS = ("TNR_at_TPR95", "AUROC", "detection_accuracy", "FPR95_OOD_positive")
OPENOOD = ("AUROC", "FPR95_OOD_positive")  # of a group of sets, as OpenOOD gives them
OOD_SCORES = ("max_softmax", "max_logit", "energy")  # the first is the paper's
NOISE = ("uniform", "gaussian")  # sets that are drawn


def reachable(path: str, recipe: Mapping[str, Any], config: Mapping[str, Any]) -> Faults:
    """Squares grow by a pixel at least, and PGD can reach its bound."""
    for key in ("occlusion_steps", "cutmix_steps"):
        if recipe[key] > recipe["crop_size"]:
            yield f"{path}.{key}: {recipe[key]} steps to crop_size ({recipe['crop_size']} px) are not whole pixels"
    if recipe["pgd_steps"] * recipe["pgd_step_size"] < recipe["pgd_eps"]:
        steps = f"{recipe['pgd_steps']} steps of pgd_step_size ({recipe['pgd_step_size']})"
        yield f"{path}.pgd_steps: {steps} do not reach pgd_eps ({recipe['pgd_eps']})"


def every_set(recipe: Recipe) -> list[str]:
    """The sets of all groups of a recipe of out-of-distribution detection."""
    return [name for names in recipe["sets"].values() for name in names]


def evidence(recipe: Recipe) -> list[str]:
    """What the flags of the images of these sets are called, in the same order."""
    return [f"{group}:{name}" for group, names in recipe["sets"].items() for name in names]


def metric_name(metric: str, score: str) -> str:
    """Of the mean over all sets by a score: that of the paper stands in no name."""
    return metric if score == OOD_SCORES[0] else f"{metric}_{score}"


def named_once(path: str, recipe: Recipe, config: Mapping[str, Any]) -> Faults:
    """Each set is in one group, and none has the name of a score: a column would have two meanings."""
    names = every_set(recipe)
    for name in sorted({*names} & {*OOD_SCORES}):
        yield f"{path}.sets: {name} is the name of a score; rename its folder"
    for name in dict.fromkeys(name for name in names if names.count(name) > 1):
        yield f"{path}.sets: {name} is named twice"


def with_sets(task: Task, recipe: Recipe) -> Task:
    """The columns of each set and, of several groups, of each group."""
    groups = recipe["sets"] if len(recipe["sets"]) > 1 else ()
    found = [*task.metrics]
    found += [column(f"{group}_{name}", "terminal") for group in groups for name in OPENOOD]
    found += [column(f"{name}_{one}", "csv") for name in OOD_METRICS for one in every_set(recipe)]
    arrays = dict.fromkeys(OOD_SCORES, Array(("N",))) | dict.fromkeys(evidence(recipe), Array(("N",), "flag"))
    resampling = (Resampling(arrays, "robustness.ood_metrics:separations"),)
    return replace(task, metrics=tuple(found), resampling=resampling)


def with_noise(recipe: Recipe, trained: int, tested: int) -> tuple[int, int]:
    """The images that an evaluation passes, those that are noise among them."""
    return trained, tested + sum(name in NOISE for name in every_set(recipe)) * recipe.get("noise_images", 0)


def column(name: str, table: Literal["wide", "terminal", "csv"], headline: bool = False) -> Metric:
    """A metric of out-of-distribution detection."""
    return Metric(name, better="lower" if "FPR95" in name else "higher", table=table, headline=headline)


def out_of_distribution(name: str, title: str, dataset: str) -> Task:
    """The test images of the pretraining set against others."""
    means = [column(each, "csv" if "FPR95" in each else "wide", each == "AUROC") for each in OOD_METRICS]
    others = [column(metric_name(each, score), "csv") for score in OOD_SCORES[1:] for each in OOD_METRICS]
    return Task(
        name=name,
        title=title,
        dataset=dataset,
        metrics=(*means, *others),
        test_part="test",
        sample="test images",
        check=named_once,
        folder=FOLDER,
        kind="evaluate",
        classifier=True,
        in_distribution=True,
        instance=with_sets,
        sizes=with_noise,
        preflight=True,
    )


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
    out_of_distribution("ood_cifar", "Out-of-distribution detection, 32 px", "odin"),
    out_of_distribution("ood_imagenet", "Out-of-distribution detection", "ood_images"),
)
