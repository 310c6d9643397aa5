"""Train a linear probe."""

import shutil
from pathlib import Path
from typing import Any

from mmengine.dist import get_world_size

import probe.metric
import probe.model  # noqa: F401 (registers)
from backbones.backbone import metadata
from probe.features import load
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic
from workflow.data.dots import samples
from workflow.planning.run_spec import RunSpec
from workflow.training.engine import fit
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context

PUBLISHED = ("predictions.json", "per_image.npz")


def task(run: RunSpec, check: DatasetInfo, backbone: Path, state: Path) -> dict[str, Any]:
    """The mmengine config of a run: model, loaders, evaluator, optimizer. The schedule is the engine's."""
    recipe, about = run.recipe, metadata(backbone)
    prepare = {key: about[key] for key in ("channel_order", "mean", "std")}
    data = {"type": "Dots", "root": check.root, "size": recipe["size"]}
    images = [Path(path).name for path, _ in samples(check.root, "test")]
    loading = {"num_workers": run.workers, "persistent_workers": run.workers > 0}
    loading["collate_fn"] = {"type": "default_collate"}
    return {
        "model": {
            "type": "LinearProbe",
            "classes": len(check.classes),
            "network": about["network"],
            "prepare": prepare,
            "stride": about["stride"],
        },
        "train_dataloader": {
            "dataset": {"type": "SeededDataset", "dataset": data | {"part": "train"}, "seed": run.seed},
            "sampler": {"type": "ResumableSampler", "batch": recipe["batch_size"], "seed": run.seed},
            "batch_size": recipe["batch_size"],
            **loading,
        },
        "val_dataloader": {
            "dataset": data | {"part": "test"},
            "sampler": {"type": "DefaultSampler", "shuffle": False},
            "batch_size": recipe["batch_size"] // get_world_size(),
            **loading,
        },
        "val_evaluator": {"type": "LogLoss", "images": images, "keep": str(state)},
        "optim_wrapper": {"optimizer": {"type": "SGD", "lr": recipe["lr"], "momentum": recipe["momentum"]}},
    }


def train(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Train, publish the predictions, and write the record last."""
    check = DatasetInfo.read(check_file)
    of = made_of(run, check, backbone)
    with run_context(state, out, of):
        start = lambda model: load(model.encoder, backbone, of["backbone"])  # noqa: E731
        result = fit(run, task(run, check, backbone, state), check.counts["train"], state, start)
        for name in PUBLISHED:
            with atomic(out / name) as temporary:
                shutil.copyfile(state / name, temporary)
        protocol = {"split": f"{check.counts['test']} test images", "epoch": f"last of {run.recipe['epochs']}"}
        best = min(result.evaluations, key=lambda evaluation: evaluation["log_loss"])
        write_record(out, run, result, of=of, metrics=result.metrics, protocol=protocol, check=check_file,
                     backbone=backbone, best=best)  # fmt: skip
