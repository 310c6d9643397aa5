"""Pretrain one backbone."""

import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size

import pretrain.dataset
import pretrain.metric
import pretrain.model  # noqa: F401 (registers)
from backbones.backbone import recipe_preprocessing, save_backbone
from backbones.construct import published_parameters
from backbones.model_card import write_card
from workflow.core import code_hash
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic
from workflow.data.labelled import count_in_words, train_count
from workflow.planning.run_spec import RunSpec
from workflow.training.engine import fit
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context


def task(run: RunSpec, check: DatasetInfo, state: Path) -> dict[str, Any]:
    """The mmengine config of this run: the architecture of configs/, filled with the recipe of the YAML."""
    recipe, workers = run.recipe, {"num_workers": run.workers, "persistent_workers": run.workers > 0}
    cfg = code_hash.config(Path(__file__).parent / "configs/classifier.py")
    regularized = {"regularizers": recipe["regularizers"], "seed": run.seed}
    of_network = {"network": recipe["network"], "zero_init_residual": recipe["zero_init_residual"]}
    of_data = {"classes": len(check.classes), "preprocessing": recipe_preprocessing(recipe)}
    cfg.model.update(**of_data, **of_network, **regularized)
    cfg.train_dataloader.update(batch_size=recipe["batch_size"], **workers)
    cfg.train_dataloader.dataset.update(check=check, recipe=recipe, seed=run.seed)
    cfg.train_dataloader.dataset.device_colors = torch.cuda.is_available()
    cfg.train_dataloader.sampler.update(batch=recipe["batch_size"], seed=run.seed)
    cfg.val_dataloader.update(batch_size=recipe["batch_size"] // get_world_size(), **workers)
    cfg.val_dataloader.dataset.update(check=check, recipe=recipe)
    cfg.val_evaluator.update(check=check, keep=str(state))
    cfg.optim_wrapper.optimizer.update({key: recipe[key] for key in ("lr", "momentum", "nesterov", "weight_decay")})
    return cfg.to_dict()


def best(evaluations: list[dict[str, Any]], iterations_per_epoch: int) -> dict[str, Any]:
    """The epoch of the lowest top-1 error (the paper reports that one), shown beside the last."""
    found = min(evaluations, key=lambda e: e["top1_error"])
    return {"epoch": found["iteration"] // iterations_per_epoch, **{k: found[k] for k in ("top1_error", "top5_error")}}


def train(run: RunSpec, check_file: Path, state: Path, out: Path) -> None:
    """Train, publish `backbone.safetensors`, and write the record last."""
    check, recipe = DatasetInfo.read(check_file), run.recipe
    of = made_of(run, check, None)
    with run_context(state, out, of):
        done, prepare = fit(run, task(run, check, state), train_count(check), state), recipe_preprocessing(recipe)
        about = {"origin": "pretrained", "classes": check.classes, "recipe": run.recipe_hash}
        weights = done.model.network.state_dict()
        save_backbone(out / "backbone.safetensors", weights, prepare, recipe["network"], **about)
        sizes = f"resize {recipe['val_resize_size']}, crop {recipe['crop_size']}"
        protocol = {
            "split": f"{count_in_words(check)}, {sizes}",
            "epoch": f"last of {recipe['epochs']}",
        }
        found = best(done.evaluations, done.budget.iterations // recipe["epochs"])
        with atomic(out / "per_image.npz") as temporary:
            shutil.copyfile(state / "per_image.npz", temporary)
        write_card(out, run, check_file, of=of, metrics=done.metrics, protocol=protocol)
        write_record(out, run, done, of=of, metrics=done.metrics, protocol=protocol, check=check_file,
                     backbone=out / "backbone.safetensors", best=found,
                     parameters=published_parameters(recipe["network"], check.set))  # fmt: skip
