"""Train the captioner on one backbone."""

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn

import captioning.dataset
import captioning.metric  # noqa: F401 (registers)
from backbones.backbone import Preprocessing, load_backbone, load_weights, metadata, network_of
from backbones.trained_network import save_network
from captioning import feature_cache
from captioning.model import TEST_BATCH
from captioning.vocabulary import SPECIAL, captions, verify
from workflow.core import code_hash
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic
from workflow.planning.run_spec import RunSpec
from workflow.registry import tasks
from workflow.training import shared_artifact
from workflow.training.engine import TrainResult, fit
from workflow.training.lr_sweep import choose_lr
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context

FROZEN = "frozen_encoder."  # before the names of a frozen encoder's weights in a kept network


def task(
    run: RunSpec,
    check_file: Path,
    backbone: Path,
    features: Path,
    vocabulary: Path,
    state: Path,
    held_out: bool = False,
) -> dict[str, Any]:
    """The mmengine config of this run: the architecture of configs/, filled with the recipe of the YAML. `held_out`:
    train without the held-out images, and test on these."""
    recipe, workers = run.recipe, {"num_workers": run.workers, "persistent_workers": run.workers > 0}
    images, check = {"folder": str(features)}, str(check_file)
    name = "nic_coco_finetune.py" if recipe["finetune_encoder"] else "nic_coco.py"
    cfg = code_hash.config(Path(__file__).parent / "configs" / name)
    if recipe["finetune_encoder"]:
        images = {"check": check, "resize_size": recipe["resize_size"], "crop_size": recipe["crop_size"]}
    captioner = architecture(recipe, load_weights(backbone)[1], metadata(backbone))
    cfg.model.update(vocabulary=str(vocabulary / "vocabulary.json"), **captioner)
    cfg.train_dataloader.update(batch_size=recipe["batch_size"], **workers)
    cfg.train_dataloader.dataset.update(captions=str(vocabulary / "captions.npz"), images=images, seed=run.seed)
    cfg.train_dataloader.sampler.update(batch=recipe["batch_size"], seed=run.seed)
    cfg.val_dataloader.update(batch_size=TEST_BATCH, **workers)
    cfg.val_dataloader.dataset.update(check=check, images=images)
    if not recipe["finetune_encoder"] and fits_on_device(features / "train.npy"):
        cfg.model.features = str(features)
        cfg.train_dataloader.dataset.images = images | {"on_device": True}
    cfg.val_evaluator.update(check=check, keep=str(state))
    if held_out:
        cfg.train_dataloader.dataset.held_out = False
        cfg.val_dataloader.dataset.held_out = cfg.val_evaluator.held_out = True
    cfg.optim_wrapper.optimizer.update(lr=recipe["lr"])
    return cfg.to_dict()


def fits_on_device(features: Path) -> bool:
    """Whether the features of all training views fit into half of a GPU's free memory."""
    return torch.cuda.is_available() and 2 * features.stat().st_size < torch.cuda.mem_get_info()[0]


def architecture(recipe: dict[str, Any], prepare: Preprocessing, about: dict[str, Any]) -> dict[str, Any]:
    """The arguments of NIC but for its vocabulary; `about` has network and stride of the backbone."""
    captioner = {key: recipe[key] for key in ("embed_size", "hidden_size", "dropout", "beam_size", "max_length")}
    tuned = {"encoder": vars(prepare), "stride": about["stride"]} if recipe["finetune_encoder"] else {}
    return {"network": about["network"], **captioner, **tuned}


def kept_weights(model: nn.Module, recipe: dict[str, Any], backbone: Path) -> dict[str, Any]:
    """The captioner's weights, and those of the encoder whose features it reads, under FROZEN."""
    encoder: dict[str, Any] = {}
    if not recipe["finetune_encoder"]:
        classifier = f"{network_of(backbone).classifier}."
        weights = load_weights(backbone)[0].items()
        encoder = {f"{FROZEN}{key}": value for key, value in weights if not key.startswith(classifier)}
    return model.state_dict() | encoder


def protocol(
    recipe: dict[str, Any], check: DatasetInfo, prepare: Preprocessing, about: dict[str, Any], words: int
) -> dict[str, Any]:
    """How the numbers were made, for the record and the foot of the table; `about` is what the backbone says of
    itself."""
    views = (
        "a fresh random view each time"
        if recipe["finetune_encoder"]
        else f"{recipe['num_views']} random views an image"
    )
    return {
        "split": f"{check.split}: {check.counts['test_images']} test images",
        "input": f"squashed to {recipe['resize_size']}, crop {recipe['crop_size']}; {views}, a centre crop in the test",
        "encoder": "fine-tuned" if recipe["finetune_encoder"] else "frozen",
        "bn": "statistics frozen",
        "preprocessing": {"channel_order": prepare.channel_order, "mean": prepare.mean, "std": prepare.std},
        "network": about["network"],
        "stride": about["stride"],
        "beam_size": recipe["beam_size"],
        "score": "sum of log-probabilities, no length normalisation",
        "vocabulary": f"{words} words seen {recipe['min_word_count']} times or more in the training captions",
        "epoch": f"last of {recipe['epochs']}",
    }


def best(evaluations: list[dict[str, Any]], iterations_per_epoch: int) -> dict[str, Any]:
    """The epoch of the highest CIDEr, shown beside the last."""
    found = max(evaluations, key=lambda e: e["CIDEr"])
    return {"epoch": found["iteration"] // iterations_per_epoch, "CIDEr": found["CIDEr"]}


def train(
    run: RunSpec, backbone: Path, features: Path, vocabulary: Path, check_file: Path, state: Path, out: Path
) -> None:
    """Train, keep the predictions, and write the record last."""
    check, recipe = DatasetInfo.read(check_file), run.recipe
    folders = {"vocabulary": vocabulary} | ({} if recipe["finetune_encoder"] else {"features": features})
    of = made_of(run, check, backbone, **{name: shared_artifact.identity(folder) for name, folder in folders.items()})
    with run_context(state, out, of):
        shared = {"vocabulary": verify(vocabulary, check, recipe["min_word_count"])}
        if not recipe["finetune_encoder"]:
            shared["features"] = feature_cache.verify(features, run, check, backbone)
        words, start = (vocabulary / "vocabulary.json").read_bytes(), None
        if recipe["finetune_encoder"]:
            start = lambda model: load_backbone(backbone, model.encoder.network, expected=of["backbone"])  # noqa: E731

        def trained(one: RunSpec, folder: Path, held_out: bool = True) -> TrainResult:
            config = task(one, check_file, backbone, features, vocabulary, folder, held_out)
            return fit(one, config, captions(vocabulary, False if held_out else None), folder, start, last=not held_out)

        sweep = choose_lr(run, of, state, tasks()[run.type].headline, trained)
        done = trained(sweep.run, state, held_out=False)
        for name in ("predictions.json", "per_image.npz"):
            with atomic(out / name) as temporary:
                shutil.copyfile(state / name, temporary)
        with atomic(out / "vocabulary.json") as temporary:
            temporary.write_bytes(words)
        prepare, about = load_weights(backbone)[1], metadata(backbone)
        kept = kept_weights(done.model, recipe, backbone) if run.keep_network else {}
        save_network(out, run, of, kept, prepare, about, words=json.loads(words))
        write_record(
            out,
            run,
            done,
            of=of,
            metrics=done.metrics,
            protocol=protocol(recipe, check, prepare, about, len(json.loads(words)) - len(SPECIAL)) | sweep.protocol,
            check=check_file,
            backbone=backbone,
            changed=[line for name in shared for line in shared_artifact.differences(folders[name], shared[name])],
            artifacts={name: {key: index[key] for key in ("files", "made_with")} for name, index in shared.items()},
            best=best(done.evaluations, captions(vocabulary) // recipe["batch_size"]),
            **sweep.more,
        )
