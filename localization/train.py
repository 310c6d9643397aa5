"""Fine-tune one backbone on classes, and localize with its class activation maps."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size

import localization.metric
import localization.model  # noqa: F401 (registers)
from backbones.backbone import Preprocessing, metadata
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

HEADLINE = "MaxBoxAccV2"
PUBLISHED = ("predictions.json", "per_image.npz")


def regularizers(run: RunSpec, backbone: Path) -> dict[str, Any]:
    """Those that a run is fine-tuned with: of an imported or random backbone none are known."""
    if run.recipe["regularizers"] == "none" or metadata(backbone).get("origin") != "pretrained":
        return {}
    config = read_json(backbone.with_name("config.json"), "recipe")
    found: dict[str, Any] = config["recipe"]["regularizers"]
    return found


def rates(recipe: Mapping[str, Any], network: str) -> tuple[float, float]:
    """Learning rates of the pretrained layers, and of the classifier."""
    of = recipe.get("lr_of_networks", {}).get(network, recipe)
    return of["lr"], of["classifier_lr"]


def task(
    run: RunSpec, check: DatasetInfo, about: Mapping[str, Any], row: Mapping[str, Any], found: Photos, state: Path
) -> dict[str, Any]:
    """The mmengine config of a run: model, loaders, evaluator, optimizer. The schedule is the engine's.

    Args:
        run: gives recipe, seed and workers.
        check: of the data.
        about: metadata of the backbone.
        row: regularizers to fine-tune with.
        found: photos of the set.
        state: folder of the resume state.
    """
    recipe, size = run.recipe, {"resize": run.recipe["resize_size"], "crop": run.recipe["crop_size"]}
    loading = {"num_workers": run.workers, "persistent_workers": run.workers > 0}
    loading["collate_fn"] = {"type": "default_collate"}
    lr, classifier_lr = rates(recipe, about["network"])
    classifier = registry.network(about["network"]).classifier
    own = {f"network.{classifier}": {"lr_mult": classifier_lr / lr if lr else 0.0}}
    regularized = {"regularizers": dict(row), "seed": run.seed}
    return {
        "model": {
            "type": "Localizer",
            "network": about["network"],
            "classes": len(check.classes),
            "prepare": {key: about[key] for key in ("channel_order", "mean", "std")},
            "stride": about["stride"],
            **{key: recipe[key] for key in ("map_stride", "cam_class")},
            **regularized,
        },
        "train_dataloader": {
            "dataset": {"type": "TrainPhotos", "kind": check.set, "root": check.root, **size, **regularized},
            "sampler": {"type": "ResumableSampler", "batch": recipe["batch_size"], "seed": run.seed},
            "batch_size": recipe["batch_size"],
            **loading,
        },
        "val_dataloader": {
            "dataset": {"type": "TestPhotos", "images": [(one.path, one.label) for one in found.all], **size},
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
        "optim_wrapper": {
            "optimizer": {
                "type": "SGD",
                "lr": lr,
                **{key: recipe[key] for key in ("momentum", "nesterov", "weight_decay")},
            },
            "paramwise_cfg": {"custom_keys": own},
        },
    }


def train(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Train, publish predictions and evidence, and write the record last."""
    check, about, recipe = DatasetInfo.read(check_file), metadata(backbone), run.recipe
    of = made_of(run, check, backbone)
    with run_context(state, out, of):
        found, row = photos(check, run.data), regularizers(run, backbone)
        start = lambda model: model.load(backbone, of["backbone"])  # noqa: E731
        done = fit(run, task(run, check, about, row, found, state), check.counts["train"], state, start)
        for name in PUBLISHED:
            with atomic(out / name) as temporary:
                shutil.copyfile(state / name, temporary)
        prepare = Preprocessing(about["channel_order"], tuple(about["mean"]), tuple(about["std"]))
        save_network(out, run, of, done.model.state_dict(), prepare, about, classes=check.classes)
        words = protocol(run, found, about) | {
            "fine_tuning": f"a stride of {recipe['map_stride']} px a cell, a new classifier",
            "regularizers": row,
            "epoch": f"last of {recipe['epochs']}",
        }
        best = max(done.evaluations, key=lambda each: each[HEADLINE])
        write_record(
            out,
            run,
            done,
            of=of,
            metrics=done.metrics,
            protocol=words,
            check=check_file,
            backbone=backbone,
            best=best,
            thresholds=read_json(out / "predictions.json", "thresholds")["thresholds"],
            references={results.REFERENCE: results.reference(found, recipe)},
        )
