"""The captioning task: NIC on MS-COCO (CutMix, Section 4.3; Vinyals et al., CVPR 2015)."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.contracts import Array, Figure, Metric, Resampling, SharedArtifact, Task
from workflow.core.files import short

FEATURE_KEYS = ("resize_size", "crop_size", "num_views", "precision")
JVM_MB = 2500  # METEOR's: up to 2 GB of heap (-Xmx2G), and what the JVM itself needs


def features_folder(recipe: Mapping[str, Any], data: str, weights: str) -> str:
    """The features of a frozen encoder; "" where the encoder is fine-tuned."""
    if recipe["finetune_encoder"]:
        return ""
    views = short([{key: recipe[key] for key in FEATURE_KEYS}, data])
    return str(Path(weights).parent / views).replace("results/backbones/", "results/features/", 1)


def vocabulary_folder(recipe: Mapping[str, Any], data: str, weights: str) -> str:
    """The words of the training captions, and the captions as indices."""
    return f"results/vocabularies/{data}/{recipe['min_word_count']}"


def views(recipe: Mapping[str, Any], counts: Mapping[str, int]) -> int:
    """How many features an encoder computes: of each view of a training image, and of a test image."""
    return counts["train_images"] * recipe["num_views"] + counts["test_images"]


TASKS = (
    Task(
        name="nic_coco",
        title="NIC, captioning",
        folder="captioning",
        dataset="coco",
        metrics=(
            Metric("BLEU-1"),
            Metric("BLEU-2", table="csv"),  # the paper's transfer table has 1 and 4 only
            Metric("BLEU-3", table="csv"),
            Metric("BLEU-4"),
            Metric("METEOR"),
            Metric("ROUGE_L"),
            Metric("CIDEr", headline=True, maximum=1000.0),
        ),
        train_parts=("train_captions",),
        test_part="test_images",
        sample="training captions",
        preflight=True,
        two_samples=lambda recipe: True,  # batch norm after the projection of the features
        figures=(Figure("captions", "Captions of the same photos", "qualitative", ".json", page=True),),
        shared=(
            SharedArtifact("features", features_folder, FEATURE_KEYS, per_backbone=True, units=views),
            SharedArtifact("vocabulary", vocabulary_folder, ("min_word_count",)),
        ),
        resampling=(
            Resampling({"bleu": Array(("N", 10), "count")}, "captioning.resampling:bleu"),
            Resampling({"meteor": Array(("N", 23), "count")}, "captioning.resampling:meteor"),
        ),
        extra_memory_mb=JVM_MB,
        # over a frozen encoder a caption is trained on features that were computed before
        speed_unit=lambda protocol: "captions/s" if protocol.get("encoder") == "frozen" else "images/s",
    ),
)
