"""Fine-tune one backbone for detection."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import nn

import detection.loading
import detection.metric
import detection.models
import detection.ssd_crop
import detection.voc_reader  # noqa: F401 (registers)
from backbones.backbone import Preprocessing, load_backbone, load_weights, metadata, network_of
from backbones.trained_network import save_network
from detection import coco_metric
from detection.build_config import task
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic
from workflow.planning.run_spec import RunSpec
from workflow.registry import tasks
from workflow.training.engine import TrainResult, fit
from workflow.training.lr_sweep import choose_lr
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context

METRICS = {"coco": ("AP", "AP50", "AP75"), "voc": ("mAP", "mAP_area")}  # of a set, the main one first
PARTS = {"coco": ("train_images",), "voc": ("trainval07", "trainval12")}  # what of a set is trained on


def parts(model: nn.Module) -> list[Any]:
    """The modules of a detector that make up the published backbone: C4 has its last stage in the RoI head."""
    shared_head = getattr(getattr(model, "roi_head", None), "shared_head", None)
    return [model.backbone.network, *([shared_head] if shared_head else [])]


def categories(run: RunSpec, check: DatasetInfo) -> list[int]:
    """The id of each class in predictions, for a network that is kept."""
    if check.set != "coco" or not run.keep_network:
        return list(range(1, len(check.classes) + 1))
    return [category["id"] for category in coco_metric.ground_truth(check.root).dataset["categories"]]


def samples(check: DatasetInfo) -> int:
    """The number of training images of a set."""
    return sum(check.counts[part] for part in PARTS[check.set])


def scoring(check: DatasetInfo, trained: int) -> dict[str, str]:
    """How a set is split and scored; `trained`: on how many images, as those without an object are left out."""
    counts = check.counts
    some = "" if trained == samples(check) else f", the {trained} with an object"
    if check.set == "coco":
        split = f"trained on train2014 ({counts['train_images']} images{some}), "
        split += f"tested on val2014 ({counts['test_images']})"
        rule = "COCO AP over IoU 0.5 to 0.95 (AP50, AP75: at 0.5, 0.75), 100 detections an image, crowds left out"
        return {"metric": rule, "split": split}
    split = f"trained on VOC07+12 trainval ({counts['trainval07']} + {counts['trainval12']} images{some}), "
    split += f"tested on VOC07 test ({counts['test07']} images)"
    if not counts["trainval12"]:  # a set with one training part
        split = f"trained on {counts['trainval07']} images{some}, tested on {counts['test07']} images"
    rule = "VOC mAP at IoU 0.5, 11-point rule (mAP_area: area rule), difficult objects left out"
    return {"metric": rule, "split": split}


def protocol(run: RunSpec, scored: dict[str, str], prepare: Preprocessing, about: dict[str, Any]) -> dict[str, Any]:
    """How the numbers were made, for the record and the foot of the table; `scored` is what `scoring` says of
    it, `about` what the backbone says of itself."""
    recipe = run.recipe
    norm = "frozen" if recipe["freeze_bn"] else "trained"
    return {
        **scored,
        "fine_tuning": f"frozen stages {recipe['frozen_stages']}, batch norm {norm}",
        "preprocessing": {"channel_order": prepare.channel_order, "mean": prepare.mean, "std": prepare.std},
        "network": about["network"],
        "stride": about["stride"],
        "iteration": f"last of {recipe['iterations']}",
    }


def train(run: RunSpec, backbone: Path, check_file: Path, state: Path, out: Path) -> None:
    """Train, leave `predictions.json` and `per_image.npz`, and write the record last."""
    check, prepare, about = DatasetInfo.read(check_file), load_weights(backbone)[1], metadata(backbone)
    names, network = METRICS[check.set], network_of(backbone)
    of = made_of(run, check, backbone)

    def trained(one: RunSpec, folder: Path, held_out: bool = True) -> TrainResult:
        config = task(one, check, prepare, network, folder, about["stride"], held_out)
        start = lambda model: load_backbone(backbone, *parts(model), expected=of["backbone"])  # noqa: E731
        return fit(one, config, samples(check), folder, start, last=not held_out)

    with run_context(state, out, of):
        sweep = choose_lr(run, of, state, tasks()[run.type].headline, trained)
        done = trained(sweep.run, state, held_out=False)
        last, best = done.metrics, max(done.evaluations, key=lambda each: each[names[0]])
        for name in ("predictions.json", "per_image.npz"):
            with atomic(out / name) as temporary:
                shutil.copyfile(state / name, temporary)
        kept = {"dataset": replace(check, root="").as_dict(), "categories": categories(run, check)}
        save_network(out, run, of, done.model.state_dict(), prepare, about, **kept)
        write_record(
            out,
            run,
            done,
            of=of,
            metrics={key: last[key] for key in names},
            protocol=protocol(run, scoring(check, done.images), prepare, about) | sweep.protocol,
            check=check_file,
            backbone=backbone,
            per_class=last["per_class"],
            best={key: best[key] for key in ("iteration", *names)},
            **sweep.more,
        )
