"""The task that makes every backbone: classification with or without a regularizer (CutMix, Section 4.1)."""

from collections.abc import Mapping
from typing import Any

from workflow import registry
from workflow.contracts import Metric, Task


def two_samples(recipe: Mapping[str, Any]) -> bool:
    """Whether batch norm sees one value a channel of the last feature map if it gets one sample."""
    network = registry.network(recipe["network"])
    return network.batch_norm and recipe["crop_size"] <= network.stages[-1].stride


TASKS = (
    Task(
        name="pretrain",
        title="classification",
        folder="pretrain",
        dataset="imagenet",
        labelled=True,
        metrics=(
            Metric("top1_error", better="lower", digits=2, headline=True),
            Metric("top5_error", better="lower", digits=2, table="terminal"),
        ),
        train_parts=("train",),
        test_part="val",
        sample="training images",
        two_samples=two_samples,
    ),
)
