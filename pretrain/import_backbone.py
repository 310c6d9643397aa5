"""Bring a finished network: its weights are read (no code of the file runs), compared with the declared network,
scored on the data's test images where they carry a classifier of its classes, and published with a card and a record.

Reads torch files and safetensors of torchvision, timm, mmpretrain and others: the set of keys that fills the network is
searched for wherever it lies (training checkpoints, self-supervised encoders, detectors), with an EMA or without.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from backbones.backbone import KEY, STRIDE, Preprocessing, preprocessing, save_backbone, verify
from backbones.checkpoint import contents
from backbones.checkpoint_weights import find_weights, set_words
from backbones.construct import published_parameters
from backbones.model_card import write_card
from backbones.network_signature import check_weights
from pretrain.evaluate import better, near_chance, ranked
from pretrain.metric import errors, write_per_image
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.escaping import say
from workflow.core.files import sha256
from workflow.data import labelled
from workflow.planning.run_spec import RunSpec
from workflow.reporting.figures import spread
from workflow.training.record import made_of, write_record
from workflow.training.resume.checkpointing import run_context

SAMPLE = 1000  # test images that other declarations are tried on
CAUSES = (
    "channel order, mean or std (preprocessing), the place of the stride (stride: 1x1 in Caffe's networks), "
    "another order of the classes, other classes of the same number, or a projection in the place of the classifier"
)


def weights_of(path: Path, recipe: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """(the weights of an imported file, complete and in fp32; what was found in it, for the record and the card).

    UserError if the file is not what was planned, is another network, or contradicts what the config declares of it.
    """
    network = registry.network(recipe["network"])
    content, metadata = contents(path)
    if sha256(path) != recipe["sha256"]:
        raise UserError(f"checkpoint {path}: the file has changed since the run was planned; plan it again")
    own = published(metadata)
    file = find_weights(path, content, recipe["checkpoint_key"], network, published=bool(own))
    weights = check_weights(path, file.weights, network, file.tensors)
    if own:
        verify(path, own, content)
        agree(path, own, recipe)
    about = {
        "file": recipe.get("source", path.name),
        "sha256": recipe["sha256"],
        "layout": file.layout,
        "weights": file.which,
        "matched": len(file.weights),
        "left_over": file.left_over,
        "classes": len(weights.get(f"{network.classifier}.weight", [])),
    }
    return weights, about


def preflight(recipes: Sequence[dict[str, Any]], scored_by: Sequence[str]) -> None:
    """Open imported files as they will be; UserError too for one without a classifier that tasks are to score.

    Args:
        recipes: of the files, as planned.
        scored_by: those tasks, as sections of the config.
    """
    for recipe in recipes:
        _, about = weights_of(Path(recipe["checkpoint"]), recipe)
        if scored_by and not about["classes"]:
            last = registry.network(recipe["network"]).classifier
            raise UserError(f"checkpoint {recipe['checkpoint']}: it has no {last}, which {scored_by[0]} scores")


def published(metadata: dict[str, str]) -> dict[str, Any]:
    """What a backbone of this workflow says of itself in its metadata; empty for anybody else's file."""
    try:
        about = json.loads(metadata.get(KEY, "null"))
    except ValueError:
        return {}
    return about if isinstance(about, dict) and "channel_order" in about else {}


def agree(path: Path, about: dict[str, Any], recipe: dict[str, Any]) -> None:
    """UserError if a published backbone says otherwise of its network, input and stride than the config does."""
    older = {"network": recipe["network"], "stride": STRIDE}  # files do not say
    declared = {
        "network": recipe["network"],
        **asdict(preprocessing(recipe["preprocessing"])),
        "stride": recipe["stride"],
    }
    for key, value in json.loads(json.dumps(declared)).items():
        own = about.get(key, older.get(key))
        if own != value:
            raise UserError(f"checkpoint {path}: its own metadata say {key} {own}, the config says {value}: declare it")


def tell(name: str, about: dict[str, Any], classes: int) -> None:
    """What was found, on the terminal."""
    left = about["left_over"]
    some = f": {', '.join(left[:8])}{' ...' * (len(left) > 8)}" if left else ""
    say(f"[{name}] {about['file']}: {about['layout']}, {set_words(about['weights'])}")
    say(f"[{name}] {about['matched']} keys matched, {len(left)} left over{some}")
    say(f"[{name}] {verdict(about['classes'], classes)}")


def verdict(own: int, classes: int) -> str:
    """Whether a file with a classifier of `own` classes can be scored on data of `classes`."""
    if not own:
        return "not scored: the file has no classifier (the fc of a self-supervised encoder is a projection)"
    if own != classes:
        return f"not scored: its classifier, which is kept, has {own} outputs, and the data have {classes} classes"
    return f"its classifier has the data's {classes} classes: scored before it is published"


def refuse_chance(checkpoint: Path, metrics: dict[str, float], check: DatasetInfo) -> None:
    """UserError if the scores of a backbone are those of guessing."""
    classes, images = len(check.classes), labelled.test_count(check)
    if near_chance(metrics["top1_error"], classes, images):
        tested = labelled.count_in_words(check)
        raise UserError(
            f"checkpoint {checkpoint}: right on {100 - metrics['top1_error']:.2f} % of {tested} of {classes} classes, "
            f"which is near chance; nothing is published. Likely causes: {CAUSES}"
        )


def others(prepare: Preprocessing, stride: str, network: str) -> list[tuple[str, Any, str]]:
    """What a backbone may really be if it is not what is declared: (in words, its preprocessing, its stride)."""
    order, places = prepare.channel_order[::-1], registry.network(network).strides
    swapped = replace(prepare, channel_order=order, mean=prepare.mean[::-1], std=prepare.std[::-1])
    return [
        (f"channel_order: {order}, mean and std turned round", swapped, stride),
        *((f"stride: {place}", prepare, place) for place in places if place != stride),
    ]


def refuse_misdeclared(
    run: RunSpec,
    checkpoint: Path,
    weights: dict[str, Any],
    prepare: Preprocessing,
    check: DatasetInfo,
    ranks: list[int],
) -> None:
    """UserError if another channel order or stride is clearly better on a sample of the test images."""
    declared = [ranks[n] for n in spread(len(ranks), SAMPLE)]
    for words, other, stride in others(prepare, run.recipe["stride"], run.recipe["network"]):
        found = ranked(weights, other, stride, check, run.recipe, run.threads, run.workers, SAMPLE)
        if better(declared, found):
            mine, its = (100 - errors(each)["top1_error"] for each in (declared, found))
            raise UserError(
                f"checkpoint {checkpoint}: right on {mine:.1f} % of {len(declared)} test images as declared, but "
                f"on {its:.1f} % with {words}; nothing is published. Declare it so"
            )


def import_checkpoint(run: RunSpec, checkpoint: Path, check_file: Path, out: Path) -> None:
    """Publish the file as `backbone.safetensors`, but score it first if it carries the classes of the data.

    What is published follows from the file and what is declared of it alone, whatever data it is scored on.
    """
    check, recipe, published = DatasetInfo.read(check_file), run.recipe, out / "backbone.safetensors"
    of = made_of(run, check, None)
    weights, about = weights_of(checkpoint, recipe)
    tell(run.name, about, len(check.classes))
    prepare, stride, ranks, metrics = preprocessing(recipe["preprocessing"]), recipe["stride"], [], {}
    split = verdict(about["classes"], len(check.classes))
    if about["classes"] == len(check.classes):
        ranks = ranked(weights, prepare, stride, check, recipe, run.threads, run.workers)
        metrics = errors(ranks)
        sizes = f"resize {recipe['val_resize_size']}, crop {recipe['crop_size']}"
        split = f"{labelled.count_in_words(check)}, {sizes}"
        print(f"[{run.name}] " + ", ".join(f"{key} {value:.2f} %" for key, value in metrics.items()), flush=True)
        refuse_chance(checkpoint, metrics, check)
        refuse_misdeclared(run, checkpoint, weights, prepare, check, ranks)
    from_file = {"file": about["sha256"], "layout": about["layout"], "weight_set": about["weights"]}
    save_backbone(published, weights, prepare, recipe["network"], stride, origin="imported", **from_file)
    protocol = {"epoch": "imported", "split": split}
    about |= {"stride": stride}
    write_per_image(out / "per_image.npz", check, ranks)
    write_card(out, run, check_file, of=of, metrics=metrics, protocol=protocol, imported=about)
    write_record(out, run, None, of=of, metrics=metrics, protocol=protocol, check=check_file, backbone=published,
                 checkpoint=about, parameters=published_parameters(recipe["network"], check.set))  # fmt: skip


def import_backbone(run: RunSpec, checkpoint: Path, check_file: Path, state: Path, out: Path) -> None:
    """`bring`; a failure leaves its reason in `state`."""
    with run_context(state, out, made_of(run, DatasetInfo.read(check_file), None)):
        import_checkpoint(run, checkpoint, check_file, out)
