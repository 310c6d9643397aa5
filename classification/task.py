"""The classification tasks: transfer of a backbone to any set of labelled images, by its nearest neighbours, by a
linear probe of its frozen features, and by fine-tuning."""

from pathlib import Path
from typing import Any

from workflow.contracts import Array, Counts, Metric, Recipe, Resampling, SharedArtifact, Task
from workflow.core.files import short

HELD_OUT = 0.1  # of the training images of each class
EMBEDDING_KEYS = ("resize_size", "crop_size", "precision")
TOP1 = Metric("top1_error", better="lower", digits=2, headline=True)
PER_CLASS = Metric("mean_per_class_error", better="lower", digits=2, table="terminal")
PARTS = tuple(Metric(f"{part}_error", better="lower", digits=2) for part in ("val", "train"))
VAL = PARTS[0]  # by which a learning rate is chosen
BY_CLASS = Resampling(
    {"label": Array(("N",), "count"), "wrong": Array(("N",), "flag")}, "classification.scores:mean_per_class_error"
)
BY_PART = Resampling(
    {"val_wrong": Array(("V",), "flag"), "train_wrong": Array(("T",), "flag")}, "classification.scores:part_errors"
)


def embeddings_folder(recipe: Recipe, data: str, weights: str) -> str:
    """The features of a backbone on a set, at these sizes."""
    name = short([{key: recipe[key] for key in EMBEDDING_KEYS}, data])
    return str(Path(weights).parent / f"embeddings-{name}").replace("results/backbones/", "results/features/", 1)


def embedded(recipe: Recipe, counts: Counts) -> int:
    """How many images have features."""
    return counts["train"] + counts["test"]


def finetuned(recipe: Recipe, trained: int, tested: int) -> tuple[int, int]:
    """How many images a fine-tuning trains on, and how many errors are measured on."""
    fitted = round((1 - HELD_OUT) * trained * recipe["fraction"])
    return fitted, fitted + round(HELD_OUT * trained) + tested


def two_samples(recipe: Recipe) -> bool:
    """Whether batch norm that is trained may see one value a channel if it gets one sample."""
    return not recipe["freeze_bn"] and recipe["crop_size"] <= 32


EMBEDDINGS = SharedArtifact("embeddings", embeddings_folder, EMBEDDING_KEYS, per_backbone=True, units=embedded)
COMMON: dict[str, Any] = {
    "folder": "classification",
    "dataset": "fashion_mnist",
    "labelled": True,
    "train_parts": ("train",),
    "test_part": "test",
    "sample": "training images",
    "preflight": True,
}
FROZEN: dict[str, Any] = COMMON | {
    "kind": "evaluate",
    "metrics": (TOP1, PER_CLASS),
    "shared": (EMBEDDINGS,),
    "resampling": (BY_CLASS,),
}

TASKS = (
    Task(name="knn", title="kNN", **FROZEN),
    Task(name="linear_probe", title="Linear probe", **FROZEN),
    Task(
        name="finetune",
        title="Fine-tuning",
        metrics=(TOP1, *PARTS, PER_CLASS),
        two_samples=two_samples,
        sizes=finetuned,
        resampling=(BY_CLASS, BY_PART),
        **COMMON,
    ),
)
