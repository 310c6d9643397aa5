"""Fine-tune one backbone on a set of labelled images."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size

import classification.dataset
import classification.metric
import classification.model  # noqa: F401 (registers)
from backbones.backbone import Preprocessing, metadata, pretraining_regularizers
from backbones.trained_network import save_network
from classification.dataset import split_of
from classification.evaluate import protocol
from classification.task import HELD_OUT, VAL
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic
from workflow.planning.run_spec import RunSpec
from workflow.training.engine import TrainResult, fit
from workflow.training.lr_sweep import choose_lr
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context

PUBLISHED = ("predictions.json", "per_image.npz")
OPTIMIZER = ("lr", "momentum", "nesterov", "weight_decay")


def task(
    run: RunSpec,
    check: DatasetInfo,
    meta: Mapping[str, Any],
    row: Mapping[str, Any],
    state: Path,
    held_out: float = HELD_OUT,
) -> dict[str, Any]:
    """The mmengine config of a run: model, loaders, evaluator, optimizer. The schedule is the engine's.

    Args:
        run: gives recipe, seed and workers.
        check: of the data.
        meta: metadata of the backbone.
        row: regularizers to fine-tune with.
        state: folder of the resume state.
        held_out: share of the training images that is not trained on.
    """
    recipe, seed = run.recipe, {"seed": run.seed}
    loading = {"num_workers": run.workers, "persistent_workers": run.workers > 0}
    loading["collate_fn"] = {"type": "default_collate"}
    regularized = {"regularizers": dict(row), **seed}
    images = {"check": check, "recipe": recipe, "held_out": held_out}
    return {
        "model": {
            "type": "Finetuned",
            "network": meta["network"],
            "classes": len(check.classes),
            "prepare": {key: meta[key] for key in ("channel_order", "mean", "std")},
            "stride": meta["stride"],
            **{key: recipe[key] for key in ("train", "freeze_bn")},
            **regularized,
        },
        "train_dataloader": {
            "dataset": {"type": "FinetuneImages", "mean": meta["mean"], **images, **regularized},
            "sampler": {"type": "ResumableSampler", "batch": recipe["batch_size"], **seed},
            "batch_size": recipe["batch_size"],
            **loading,
        },
        "val_dataloader": {
            "dataset": {"type": "MeasuredImages", **images, **seed},
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": recipe["batch_size"] // get_world_size(),
            **loading,
        },
        "val_evaluator": {"type": "PartErrors", "keep": str(state), **images, **seed},
        "optim_wrapper": {"optimizer": {"type": "SGD", **{key: recipe[key] for key in OPTIMIZER}}},
    }


def train(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Train, publish predictions and evidence, and write the record last."""
    check, meta, recipe = DatasetInfo.read(check_file), metadata(backbone), run.recipe
    of = made_of(run, check, backbone)
    with run_context(state, out, of):
        row = pretraining_regularizers(backbone) if recipe["regularizers"] == "as_pretrained" else {}
        drawn = split_of(check, recipe, run.seed)

        def trained(one: RunSpec, folder: Path, last: bool = False) -> TrainResult:
            start = lambda model: model.load(backbone, of["backbone"])  # noqa: E731
            return fit(one, task(one, check, meta, row, folder), len(drawn.fit), folder, start, last=last)

        sweep = choose_lr(run, of, state, VAL, trained)
        fitted = trained(sweep.run, state, last=True)
        for name in PUBLISHED:
            with atomic(out / name) as temporary:
                shutil.copyfile(state / name, temporary)
        prepare = Preprocessing(meta["channel_order"], tuple(meta["mean"]), tuple(meta["std"]))
        save_network(out, run, of, fitted.model.state_dict(), prepare, meta, classes=check.classes)
        words = protocol(run, check, meta) | {
            "trained": recipe["train"],
            "images": f"{len(drawn.fit)} trained on, {len(drawn.val)} held out (val)",
            "regularizers": row,
            "epoch": f"last of {recipe['epochs']}",
            **sweep.protocol,
        }
        best = min(fitted.evaluations, key=lambda evaluation: evaluation["top1_error"])
        write_record(out, run, fitted, of=of, metrics=fitted.metrics, protocol=words, check=check_file,
                     backbone=backbone, best=best, **sweep.more)  # fmt: skip
