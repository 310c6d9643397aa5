"""Fine-tune one backbone on classes, and localize with its class activation maps."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size

import localization.metric
import localization.model  # noqa: F401 (registers)
from backbones.backbone import Preprocessing, metadata, pretraining_regularizers
from backbones.trained_network import save_network
from localization import results
from localization.evaluate import protocol
from localization.photos import Photos, photos
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic, read_json
from workflow.planning.run_spec import RunSpec
from workflow.training.engine import fit
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context

PUBLISHED = ("predictions.json", "per_image.npz")


def rates(recipe: Mapping[str, Any], network: str) -> tuple[float, float]:
    """Learning rates of the pretrained layers, and of the classifier."""
    of = recipe.get("lr_of_networks", {}).get(network, recipe)
    return of["lr"], of["classifier_lr"]


def optimizer(recipe: Mapping[str, Any], network: str) -> dict[str, Any]:
    """SGD, the classifier of a network at its rate."""
    lr, classifier_lr = rates(recipe, network)
    classifier = f"network.{registry.network(network).classifier}"
    settings = {key: recipe[key] for key in ("momentum", "nesterov", "weight_decay")}
    return {
        "optimizer": {"type": "SGD", "lr": lr, **settings},
        "paramwise_cfg": {"custom_keys": {classifier: {"lr_mult": classifier_lr / lr if lr else 0.0}}},
    }


def task(
    run: RunSpec, check: DatasetInfo, meta: Mapping[str, Any], row: Mapping[str, Any], dataset: Photos, state: Path
) -> dict[str, Any]:
    """The mmengine config of a run: model, loaders, evaluator, optimizer. The schedule is the engine's.

    Args:
        run: gives recipe, seed and workers.
        check: of the data.
        meta: metadata of the backbone.
        row: regularizers to fine-tune with.
        dataset: photos of the set.
        state: folder of the resume state.
    """
    recipe, size = run.recipe, {"resize": run.recipe["resize_size"], "crop": run.recipe["crop_size"]}
    loading = {"num_workers": run.workers, "persistent_workers": run.workers > 0}
    loading["collate_fn"] = {"type": "default_collate"}
    regularized = {"regularizers": dict(row), "seed": run.seed}
    return {
        "model": {
            "type": "Localizer",
            "network": meta["network"],
            "classes": len(check.classes),
            "prepare": {key: meta[key] for key in ("channel_order", "mean", "std")},
            "stride": meta["stride"],
            **{key: recipe[key] for key in ("map_stride", "cam_class")},
            **regularized,
        },
        "train_dataloader": {
            "dataset": {"type": "TrainPhotos", "check": check, "mean": meta["mean"], **size, **regularized},
            "sampler": {"type": "ResumableSampler", "batch": recipe["batch_size"], "seed": run.seed},
            "batch_size": recipe["batch_size"],
            **loading,
        },
        "val_dataloader": {
            "dataset": {"type": "TestPhotos", "images": [(one.path, one.label) for one in dataset.all], **size},
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": recipe["batch_size"] // get_world_size(),
            **loading,
        },
        "val_evaluator": {
            "type": "BoxAccuracy",
            "check": check.as_dict(),
            "section": run.data,
            "recipe": recipe,
            "keep": str(state),
        },
        "optim_wrapper": optimizer(recipe, meta["network"]),
    }


def train(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Train, publish predictions and evidence, and write the record last."""
    check, meta, recipe = DatasetInfo.read(check_file), metadata(backbone), run.recipe
    of = made_of(run, check, backbone)
    with run_context(state, out, of):
        dataset = photos(check, run.data)
        row = pretraining_regularizers(backbone) if recipe["regularizers"] == "as_pretrained" else {}
        start = lambda model: model.load(backbone, of["backbone"])  # noqa: E731
        fitted = fit(run, task(run, check, meta, row, dataset, state), check.counts["train"], state, start)
        for name in PUBLISHED:
            with atomic(out / name) as temporary:
                shutil.copyfile(state / name, temporary)
        prepare = Preprocessing(meta["channel_order"], tuple(meta["mean"]), tuple(meta["std"]))
        save_network(out, run, of, fitted.model.state_dict(), prepare, meta, classes=check.classes)
        words = protocol(run, dataset, meta) | {
            "fine_tuning": f"a stride of {recipe['map_stride']} px a cell, a new classifier",
            "regularizers": row,
            "epoch": f"last of {recipe['epochs']}",
        }
        headline = registry.tasks()[run.type].headline.name
        best = max(fitted.evaluations, key=lambda evaluation: evaluation[headline])
        write_record(
            out,
            run,
            fitted,
            of=of,
            metrics=fitted.metrics,
            protocol=words,
            check=check_file,
            backbone=backbone,
            best=best,
            thresholds=read_json(out / "predictions.json", "thresholds")["thresholds"],
            references={results.REFERENCE: results.reference(dataset, recipe)},
        )
